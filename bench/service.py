"""How the service's costs grow: with the depth of a page, and with the number of full target groups."""

import json
from collections.abc import Iterable
from contextlib import AsyncExitStack, closing
from functools import partial
from itertools import cycle
from pathlib import Path
from urllib.parse import quote

import anyio
import httpx
from bench.figures import Figure
from bench.filling import FULL, fill, group
from bench.timing import WARM_UPS, Pair, side_by_side
from bench.uploads import as_file, packed
from starlette.types import Message

from recontact_service.packed import ID_BYTES
from recontact_service.running import RunningService, running
from recontact_service.seed import DEFAULT_ACCOUNT_ID, DEFAULT_PROJECT_ID
from recontact_service.settings import ServiceSettings
from recontact_service.sqlite_store import SqliteStore
from recontact_service.versions import NEWEST
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import IdType, TargetGroup

PAGE = 100  # source: page_size, at most
GROUPS = 200
READS = 1_000
UPLOADS = 60
LOOK_SECONDS = 0.0005  # ours: far below what an upload takes
SPARES = range(GROUPS, GROUPS + WARM_UPS + UPLOADS)
DATABASE = "service.sqlite"
HOST = "http://service.invalid"
CONNECTION = Connection(
    base_url=f"{HOST}/v1",
    token_url=f"{HOST}/oauth/token",
    client_id="bench",
    client_secret="bench",  # noqa: S106 - opens nothing but the bench's own database
    api_version=NEWEST.name,
)


class Load:
    """Operations on a service that holds some full target groups, in turn on each of them.

    Reads go straight into the application: whatever a client adds to both sides would hide a difference.
    """

    def __init__(self, service: RunningService, *, groups: int, spares: Iterable[int] = SPARES) -> None:
        self._service = service
        self._turns = cycle(range(groups))
        self._spares = iter(spares)
        self._file = as_file(packed(1_000)).encode()
        self._gateway = Gateway(CONNECTION, transport=httpx.ASGITransport(app=service.app))
        token = service.issue_token(CONNECTION.client_id)
        self._headers = [
            (b"authorization", f"Bearer {token}".encode()),
            (b"cint-api-version", CONNECTION.api_version.encode()),
        ]

    async def get(self, target: TargetGroup, tail: str, query: str = "") -> bytes:
        """Read something of a target group; return the body of the answer."""
        body = bytearray()

        async def receive() -> Message:
            raise AssertionError("a GET has no body")

        async def send(message: Message) -> None:
            body.extend(message.get("body", b""))

        path = (
            f"/v1/demand/accounts/{target.account_id}/projects/{target.project_id}"
            f"/target-groups/{target.target_group_id}/recontacts/{tail}"
        )
        scope = {"type": "http", "method": "GET", "path": path, "headers": self._headers}
        await self._service.app({**scope, "query_string": query.encode()}, receive, send)
        return bytes(body)

    async def page(self) -> None:
        """Read the first 100 IDs of the next target group."""
        assert len(await self.get(group(next(self._turns)), "rsids", f"page_size={PAGE}")) > PAGE * 36

    async def overview(self) -> None:
        """Read the count of the next target group."""
        assert str(FULL).encode() in await self.get(group(next(self._turns)), "overview")

    async def upload(self) -> None:
        """Upload 1,000 IDs to an empty target group, and look until the job has ended."""
        empty = group(next(self._spares))
        job_id = await self._gateway.upload_file(empty, file_name="a.csv", content=self._file, id_type=IdType.RSID)
        job = await self._gateway.get_upload_job(empty, job_id, id_type=IdType.RSID)
        while not job.is_finished:
            await anyio.sleep(LOOK_SECONDS)
            job = await self._gateway.get_upload_job(empty, job_id, id_type=IdType.RSID)

    async def last_query(self) -> str:
        """Walk the whole list of one target group, and return the query of its last page."""
        seen, query = 0, f"page_size={PAGE}"
        while True:
            page = json.loads(await self.get(group(0), "rsids", query))
            seen += len(page["data"])
            cursor = page.get("next_cursor")
            if cursor is None:
                assert seen == FULL
                return query
            query = f"page_size={PAGE}&start_after={quote(cursor, safe='')}"


async def depth(load: Load) -> Pair:
    """Compare the last page of a full list with its first one."""
    read = partial(load.get, group(0), "rsids")
    return await side_by_side(partial(read, await load.last_query()), partial(read, f"page_size={PAGE}"), rounds=READS)


async def depth_in_store(database: Path) -> Pair:
    """Compare the same two pages where nothing else dilutes the difference."""
    with closing(SqliteStore(database)) as store:
        stored = store.find_group(
            group(0).target_group_id, account_id=DEFAULT_ACCOUNT_ID, project_id=DEFAULT_PROJECT_ID
        )
        assert stored
        before_last = packed(FULL)[-(PAGE + 1) * ID_BYTES :][:ID_BYTES]

        async def last() -> None:
            assert len(store.read_page(stored.number, after=before_last, limit=PAGE)) == PAGE * ID_BYTES

        async def first() -> None:
            assert len(store.read_page(stored.number, after=b"", limit=PAGE)) == PAGE * ID_BYTES

        return await side_by_side(last, first, rounds=READS)


def settings_for(home: Path) -> ServiceSettings:
    clients = {CONNECTION.client_id: CONNECTION.client_secret}
    return ServiceSettings(database=home / DATABASE, clients=clients)


async def measure(folder: Path) -> list[Figure]:
    homes = {groups: folder / f"{groups}-groups" for groups in (1, GROUPS)}
    sizes = {groups: fill(home / DATABASE, groups=groups, spares=SPARES) for groups, home in homes.items()}
    async with AsyncExitStack() as stack:
        one, many = [
            Load(await stack.enter_async_context(running(settings_for(home))), groups=groups)
            for groups, home in homes.items()
        ]
        deep = await depth(one)
        deep_in_store = await depth_in_store(homes[1] / DATABASE)
        growth = {
            "page of 100": await side_by_side(many.page, one.page, rounds=READS),
            "overview": await side_by_side(many.overview, one.overview, rounds=READS),
            "upload of 1,000": await side_by_side(many.upload, one.upload, rounds=UPLOADS),
        }
    return [
        Figure("Page of 100 at depth 99,900, beside depth 0", deep.ratio, "x", 1.3, deep.detail),
        Figure("The same in the store alone", deep_in_store.ratio, "x", 1.3, deep_in_store.detail),
        *(
            Figure(f"{GROUPS} full target groups beside one: {what}", pair.ratio, "x", 1.3, pair.detail)
            for what, pair in growth.items()
        ),
        Figure(f"Stored IDs on disk, each, {GROUPS} target groups of 100,000", sizes[GROUPS], "bytes", 18),
    ]
