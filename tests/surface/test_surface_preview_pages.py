"""Reading all stored IDs from an API whose pages are short, empty, endless or wrong."""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from recontact_mcp.opening import Effects
from recontact_mcp.settings import Settings
from recontact_tools.gateway import Connection, Gateway

if TYPE_CHECKING:
    from tests.conftest import Connect
    from tests.surface.conftest import Call

pytestmark = pytest.mark.anyio

Identifiers = Callable[[int], list[str]]
Page = dict[str, Any]
AT_CINT = {"cint_client_id": "robot", "cint_account_id": 101, "cint_project_id": "01BTGNYV6HRNK8K8VKZASZCFP0"}


@dataclass
class Shelf:
    """An API that stores *counts* (the last one ever after) and lists *pages* by their cursors."""

    counts: list[int]
    pages: dict[str, Page]
    asked: list[str] = field(default_factory=list[str])
    posts: int = 0

    def answer(self, request: httpx.Request) -> httpx.Response:
        """Answer a request as the API would."""
        if request.url.path == "/oauth/token":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        if request.url.path.endswith("/recontacts/overview"):
            return httpx.Response(200, json={"saved_respondent_ids_count": self._count()})
        if request.url.path.endswith("/recontacts/rsids"):
            assert request.url.params["page_size"] == "100"
            cursor = request.url.params.get("start_after", "")
            self.asked.append(cursor)
            return httpx.Response(200, json=self.pages[cursor])
        if request.method == "POST":
            self.posts += 1
            return httpx.Response(201, json={"job_id": "J1"})
        return httpx.Response(200, json={"data": [], "next_cursor": None})

    def _count(self) -> int:
        return self.counts.pop(0) if len(self.counts) > 1 else self.counts[0]

    @asynccontextmanager
    async def gateway(self, _settings: Settings) -> AsyncGenerator[Gateway]:
        """Open a way to this API."""
        connection = Connection("https://api.example/v1", "https://api.example/oauth/token", "robot", "open sesame")
        async with Gateway(connection, transport=httpx.MockTransport(self.answer)) as gateway:
            yield gateway


def page(ids: list[str], cursor: str | None = None) -> Page:
    """Return a page as the API writes it, null or absent where it is the last."""
    return {"data": ids, "next_cursor": cursor} if cursor else {"data": ids}


async def test_short_and_empty_pages_and_other_spellings_are_read_to_the_last_cursor(
    era: str, connect: "Connect", call: "Call", identifiers: Identifiers
) -> None:
    ids = identifiers(4)
    shelf = Shelf(
        [3],
        {
            "": page([], "a"),
            "a": page([ids[0].upper()], "b"),
            "b": {"next_cursor": "c"},
            "c": page([ids[1].replace("-", ""), ids[2]], ""),
        },
    )
    async with connect(era, effects=Effects(gateway=shelf.gateway), **AT_CINT) as client:
        preview = await call(client, "preview_upload", ids=ids)
    assert (preview["new"], preview["already_stored"], preview["not_compared_because"]) == (1, 3, None)
    assert shelf.asked == ["", "a", "b", "c"]


async def test_a_cursor_that_comes_again_ends_the_reading(
    era: str, connect: "Connect", call: "Call", identifiers: Identifiers
) -> None:
    ids = identifiers(3)
    shelf = Shelf([2], {"": page(ids[:1], "a"), "a": page(ids[1:2], "b"), "b": page([], "a")})
    async with connect(era, effects=Effects(gateway=shelf.gateway), **AT_CINT) as client:
        preview = await call(client, "preview_upload", ids=ids)
    assert (preview["new"], preview["not_compared_because"]) == (None, "The list of stored IDs repeats itself.")
    assert shelf.asked == ["", "a", "b"]


async def test_more_pages_than_the_count_promises_are_read_only_as_far_as_is_allowed(
    connect: "Connect", call: "Call", identifiers: Identifiers
) -> None:
    endless = {str(number or ""): page([], str(number + 1)) for number in range(20)}
    shelf = Shelf([2], endless)
    async with connect(effects=Effects(gateway=shelf.gateway), **AT_CINT, compare_pages=5) as client:
        preview = await call(client, "preview_upload", ids=identifiers(3))
    assert preview["new"] is None
    assert "has more pages; one comparison may read 5" in preview["not_compared_because"]
    assert len(shelf.asked) == 5


@pytest.mark.parametrize("odd", ["", "147376725", "5a3b2ada-0000-4000-8000-00000000000g", "5a3b2ada" * 5])
async def test_a_list_of_something_else_is_not_compared(
    connect: "Connect", call: "Call", identifiers: Identifiers, odd: str
) -> None:
    shelf = Shelf([2], {"": page([identifiers(1)[0], odd])})
    async with connect(effects=Effects(gateway=shelf.gateway), **AT_CINT) as client:
        preview = await call(client, "preview_upload", ids=identifiers(3))
    assert (preview["new"], preview["predicted_count"]) == (None, {"low": 3, "high": 5})
    assert preview["not_compared_because"] == "The list of stored IDs holds something that is not an ID."
    assert not odd or odd not in json.dumps(preview)


@pytest.mark.parametrize(
    ("counts", "listed", "new"),
    [
        pytest.param([2, 3], 3, 0, id="one more was stored before the list was read"),
        pytest.param([2], 3, None, id="the list is ahead of the count"),
        pytest.param([3], 2, None, id="the list is behind the count"),
    ],
)
async def test_a_list_is_believed_only_if_it_is_the_one_that_was_counted(
    connect: "Connect",
    call: "Call",
    identifiers: Identifiers,
    *,
    counts: list[int],
    listed: int,
    new: int | None,
) -> None:
    shelf = Shelf(counts, {"": page(identifiers(listed))})
    async with connect(effects=Effects(gateway=shelf.gateway), **AT_CINT) as client:
        preview = await call(client, "preview_upload", ids=identifiers(3))
    assert preview["new"] == new
    assert ("do not agree" in (preview["not_compared_because"] or "")) is (new is None)


@pytest.mark.parametrize("fits", [True, False], ids=["fits beside what is stored", "one too many"])
async def test_an_upload_that_only_fits_because_it_is_partly_stored_is_foreseen_and_accepted(
    era: str,
    connect: "Connect",
    call: "Call",
    refused: "Call",
    settings: Settings,
    identifiers: Identifiers,
    *,
    fits: bool,
) -> None:
    ids = identifiers(100_001)
    # Ten fit, and eleven are one too many; another thousand are stored already.
    (settings.upload_roots[0] / "wave2.csv").write_text("\n".join(ids[98_990 : 100_000 if fits else 100_001]))
    shelf = Shelf([99_990], {"": page(ids[:99_990])})  # in one page, which is quicker than in a thousand
    effects = Effects(gateway=shelf.gateway)
    async with connect(era, effects=effects, **AT_CINT, compare_pages=1_000) as client:
        preview = await call(client, "preview_upload", path="wave2.csv")
        if fits:
            assert (preview["refusal"], preview["over_capacity"], preview["room_left"]) == (None, 0, 10)
            assert preview["predicted_count"] == {"low": 100_000, "high": 100_000}
            started = await call(client, "upload_recontacts", path="wave2.csv")
            assert (started["ids_sent"], started["stored_before"]) == (1_010, 99_990)
        else:
            error = await refused(client, "upload_recontacts", path="wave2.csv")
            assert (preview["refusal"], preview["over_capacity"]) == (error["code"], 1) == ("CAPACITY_EXCEEDED", 1)
            assert (preview["new"], error["new"], error["room"]) == (11, 11, 10)
            assert error["next_step"] in preview["next_step"]
    assert (shelf.posts, shelf.asked) == (int(fits), ["", ""])
