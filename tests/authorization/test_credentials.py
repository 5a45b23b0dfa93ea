"""Where the secrets of further credentials come from: read late, again once refused, and told to nobody."""

import json
import sys
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from recontact_mcp.access import Credentials
from recontact_mcp.secret_source import gateway_as, secret_of
from recontact_mcp.settings import Settings
from recontact_tools.errors import ErrorCode, NotPermitted, Unreachable
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.models import TargetGroup

pytestmark = pytest.mark.anyio

GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")


def printing(*words: str) -> Credentials:
    program = f"import sys; sys.stdout.write({chr(10).join(words)!r})"
    return Credentials("x", "client", secret_command=(sys.executable, "-c", program))


async def test_a_command_prints_the_secret_and_no_shell_reads_its_words() -> None:
    assert await secret_of(printing("s3cret", "")) == "s3cret"
    words = (sys.executable, "-c", "import sys; print(sys.argv[1])", "$(id);`id`")
    assert await secret_of(Credentials("x", "client", secret_command=words)) == "$(id);`id`"


async def test_a_file_holds_the_secret(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n", encoding="utf-8")
    path.chmod(0o600)
    assert await secret_of(Credentials("x", "client", secret_file=path)) == "s3cret"


@pytest.mark.parametrize(
    "command",
    [
        (sys.executable, "-c", "raise SystemExit('canary-secret')"),
        (sys.executable, "-c", "print()"),
        (sys.executable, "-c", "print('two words')"),
        (sys.executable, "-c", "print('x' * 5000)"),
        ("/no/such/program",),
    ],
)
async def test_what_prints_no_secret_is_refused_without_its_words(command: tuple[str, ...]) -> None:
    with pytest.raises(Unreachable) as refused:
        await secret_of(Credentials("x", "client", secret_command=command))
    assert refused.value.code is ErrorCode.UNAVAILABLE
    assert "canary" not in json.dumps(refused.value.as_dict())
    assert "program" not in json.dumps(refused.value.as_dict())


async def test_a_command_that_takes_too_long_is_stopped() -> None:
    waiting = Credentials("x", "client", secret_command=(sys.executable, "-c", "input()"))
    with pytest.raises(Unreachable):
        await secret_of(waiting, seconds=0.0)


async def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("s3cret\n", encoding="utf-8")
    path.chmod(0o644)
    with pytest.raises(Unreachable) as refused:
        await secret_of(Credentials("x", "client", secret_file=path))
    assert str(path) not in json.dumps(refused.value.as_dict())


async def test_a_secret_is_read_when_a_token_is_fetched_kept_and_read_again_once_it_was_refused() -> None:
    read: list[str] = []
    sent: list[str] = []
    right = ["first"]

    async def source() -> str:
        read.append(right[0])
        return right[0]

    async def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("token"):
            secret = json.loads(request.content)["client_secret"]
            sent.append(secret)
            if secret != right[0]:
                return httpx.Response(401, json={})
            return httpx.Response(200, json={"access_token": "t", "expires_in": 1})
        return httpx.Response(200, json={"saved_respondent_ids_count": 1})

    moment = [0.0]
    connection = Connection("http://api.example/v1", "http://api.example/token", "c", "", secret_source=source)
    async with Gateway(connection, transport=httpx.MockTransport(answer), now=lambda: moment[0]) as gateway:
        assert not read
        await gateway.get_overview(GROUP)
        moment[0] += 10
        await gateway.get_overview(GROUP)
        assert (read, sent) == (["first"], ["first", "first"])
        right[0] = "second"
        moment[0] += 10
        with pytest.raises(NotPermitted):
            await gateway.get_overview(GROUP)
        await gateway.get_overview(GROUP)
    assert read == ["first", "second"]
    assert sent[-1] == "second"


async def test_a_gateway_has_the_client_id_of_its_credentials_and_not_the_settings_secret() -> None:
    settings = Settings(cint_client_id="general", cint_client_secret=SecretStr("general secret"))
    async with gateway_as(settings, printing("s3cret")) as gateway:
        assert gateway.version is not None
