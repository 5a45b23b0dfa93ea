"""Clients in a browser, on pages of other origins: what the settings allow is answered, and nothing else."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from tests.remote.conftest import Front

    from recontact_mcp.remote.parts import Parts

pytestmark = pytest.mark.anyio

ALLOWED, OTHER = "https://inspector.example", "https://evil.example"
ASKING = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,mcp-method"}
LIST: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}
HEADERS = {"accept": "application/json, text/event-stream", "content-type": "application/json"}


def of_cors(answer: "httpx.Response") -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control")}


@pytest.mark.parametrize("issuer", [None, "https://issuer.example"])
async def test_a_page_of_an_allowed_origin_is_told_what_it_may_send_without_a_token(
    front: "Front", issuer: str | None
) -> None:
    async with front(allowed_origins=(ALLOWED,), auth_issuer=issuer) as client:
        answer = await client.options("/mcp", headers={"origin": ALLOWED, **ASKING})
    told = of_cors(answer)
    assert answer.status_code == 200
    assert told["access-control-allow-origin"] == ALLOWED
    assert told["access-control-allow-methods"] == "GET, POST, DELETE"
    assert "mcp-method" in told["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in told


async def test_the_page_may_read_answers_and_refusals_and_how_to_get_a_token(front: "Front") -> None:
    async with front(allowed_origins=(ALLOWED,), auth_issuer="https://issuer.example") as client:
        refused = await client.post("/mcp", json=LIST, headers={"origin": ALLOWED, **HEADERS})
    async with front(allowed_origins=(ALLOWED,)) as client:
        answered = await client.post("/mcp", json=LIST, headers={"origin": ALLOWED, **HEADERS})
        alone = await client.post("/mcp", json=LIST, headers=HEADERS)
    assert (refused.status_code, "resource_metadata" in refused.headers["www-authenticate"]) == (401, True)
    for answer in (refused, answered):
        assert of_cors(answer)["access-control-allow-origin"] == ALLOWED
        assert "www-authenticate" in of_cors(answer)["access-control-expose-headers"]
        assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-origin" not in of_cors(alone)


@pytest.mark.parametrize("allowed", [(), (ALLOWED,)])
async def test_no_other_origin_and_no_other_path_is_answered(front: "Front", allowed: tuple[str, ...]) -> None:
    async with front(allowed_origins=allowed) as client:
        asked = await client.options("/mcp", headers={"origin": OTHER, **ASKING})
        called = await client.post("/mcp", json=LIST, headers={"origin": OTHER, **HEADERS})
        beside = await client.options("/approve", headers={"origin": (*allowed, "http://127.0.0.1:8765")[0], **ASKING})
        nobody = await client.options("/mcp", headers=ASKING)
    assert (asked.status_code, called.status_code, beside.status_code) == (403, 403, 405)
    assert asked.json()["error"]["data"]["error"]["code"] == called.json()["error"]["data"]["error"]["code"]
    assert not any(of_cors(answer) for answer in (asked, called, beside))
    assert nobody.status_code >= 400
    assert "access-control-allow-origin" not in of_cors(nobody)


async def test_a_method_that_mcp_does_not_have_is_not_allowed_to_a_page(front: "Front") -> None:
    async with front(allowed_origins=(ALLOWED,)) as client:
        answer = await client.options("/mcp", headers={"origin": ALLOWED, "access-control-request-method": "PUT"})
    assert answer.status_code == 400


async def test_where_no_origin_is_allowed_calls_pass_nothing_more(parts: "Callable[..., Parts]") -> None:
    from recontact_mcp.remote.cross_origin import cross_origin  # noqa: PLC0415 (only here)

    async def app(*_of_asgi: object) -> None:
        """Serve nothing."""

    assert cross_origin(parts(), app) is app
