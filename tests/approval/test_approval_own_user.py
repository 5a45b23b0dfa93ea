"""On a machine that several people share, the pages of a server over stdio answer only the user who runs it."""

import os
import socket
from contextlib import closing

import httpx
import pytest
from starlette.responses import PlainTextResponse

from recontact_mcp.remote.addresses import Client
from recontact_mcp.remote.approval.own_user import TABLES, OwnUser, owner_in, owner_of

pytestmark = pytest.mark.anyio

CLIENT, SERVER = ("127.0.0.1", 0xB32D), ("127.0.0.1", 0x1F90)
TABLE = """  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1137 1 0000 100 0 0 10 0
   1: 0100007F:1F90 0100007F:B32D 01 00000000:00000000 00:00000000 00000000  1000        0 1138 1 0000 20 4 30 10 -1
   2: 0100007F:B32D 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 1139 1 0000 20 4 30 10 -1
   3: cut off
"""
TABLE6 = """  sl  local_address                         remote_address                        st tx rx tr tm retr uid
   0: 0000000000000000FFFF00000100007F:B32D 0000000000000000FFFF00000100007F:1F90 01 0:0 00:0 0  1002 0 1 1
"""


def test_a_connection_belongs_to_the_user_at_its_other_end() -> None:
    assert owner_in(TABLE, CLIENT, SERVER) == 1001
    assert owner_in(TABLE6, CLIENT, SERVER) == 1002
    assert owner_in(TABLE, ("127.0.0.1", 1), SERVER) is None
    assert owner_in("", CLIENT, SERVER) is None
    assert owner_in(TABLE, None, SERVER) is None
    assert owner_in(TABLE, CLIENT, None) is None


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_system_tells_whose_a_real_connection_is(family: socket.AddressFamily) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, closing(socket.socket(family)) as client:
        port: int = listening.getsockname()[1]
        client.connect(("::ffff:127.0.0.1" if family == socket.AF_INET6 else "127.0.0.1", port))
        with listening.accept()[0] as accepted:
            own = os.geteuid() if all(table.exists() for table in TABLES) else None  # other systems do not tell
            assert owner_of(accepted.getpeername(), accepted.getsockname()) == own
    assert owner_of(("127.0.0.1", 1), ("127.0.0.1", 2)) is None
    assert owner_of(("nowhere", 1), ("127.0.0.1", 2)) is None


@pytest.mark.parametrize(
    ("owner", "status"),
    [
        pytest.param(os.geteuid(), 200, id="own"),
        pytest.param(0, 200, id="root"),
        pytest.param(None, 200, id="unknown"),
        pytest.param(os.geteuid() + 1, 403, id="other"),
    ],
)
async def test_only_the_own_user_is_answered(owner: int | None, status: int) -> None:
    asked: list[tuple[Client, Client]] = []

    def told(client: Client, server: Client) -> int | None:
        asked.append((client, server))
        return owner

    transport = httpx.ASGITransport(OwnUser(PlainTextResponse("page"), owner=told), client=("127.0.0.1", 4_711))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8765") as http:
        answer = await http.get("/approve/link?key=x")
    assert (answer.status_code, answer.text == "page") == (status, status == 200)
    assert asked[0][0] == ("127.0.0.1", 4_711)
