"""The address that takes a file: one file, from whoever knows it, and otherwise one refusal for everybody."""

import gzip
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
from starlette.types import Message, Scope

from recontact_mcp.remote.limits import Limits
from recontact_mcp.remote.staging import AT_ONCE_EACH, Door

if TYPE_CHECKING:
    from tests.staging.conftest import Answer, Front, Fronted

pytestmark = pytest.mark.anyio

GROUP = "01BTGNYV6HRNK8K8VKZASZCFP1"
CANARY = "c0ffee00-0000-4000-8000-00000000cafe"
FILE = f"{CANARY}\n".encode()


def of(response: httpx.Response) -> tuple[int, bytes, str]:
    """Return all that tells one answer from another."""
    return response.status_code, response.content, response.headers["content-type"]


async def test_every_address_that_is_of_no_use_answers_the_same(era: str, fronted: "Fronted") -> None:
    async with fronted(era) as front:
        filled, expiring = await front.call("stage_upload"), await front.call("stage_upload")
        assert (await front.send(filled, FILE)).status_code == 201
        unused = (await front.call("stage_upload"))["upload_url"]
        answers = [
            await front.send(filled, FILE),
            await front.web.put("/staged/nobody-ever-made-this-one", content=FILE),
            await front.web.put(f"/staged/{filled['ticket']}", content=FILE),
            await front.web.put("/staged/%00%ff", content=FILE),
            await front.web.put("/staged", content=FILE),
            *[await front.web.request(method, unused) for method in ("GET", "POST", "DELETE", "PATCH", "OPTIONS")],
            await front.web.post("/staged", content=FILE),
        ]
        head = await front.web.head(unused)
        front.pass_time(901)
        answers.append(await front.send(expiring, FILE))
    assert len({of(answer) for answer in answers}) == 1
    assert answers[0].status_code == head.status_code == 404
    assert b"Ask your assistant for a new one." in answers[0].content
    assert answers[0].headers["cache-control"] == "no-store"


async def test_whoever_knows_an_address_hears_what_became_of_it_and_nobody_else_does(
    era: str, fronted: "Fronted"
) -> None:
    async with fronted(era) as front:

        async def fate(ticket: "Answer", method: str = "GET") -> tuple[int, str, str]:
            secret = ticket["upload_url"].rpartition("/")[2]
            headers = {"recontact-upload": secret, "accept": "application/json"}
            answer = await front.web.request(method, "/staged", headers=headers)
            said: dict[str, Any] = answer.json() if answer.content else {}
            return answer.status_code, said.get("state", ""), said.get("message", "")

        nobody: Answer = {"upload_url": "/staged/nobody-made-this"}
        used, unused, empty = [await front.call("stage_upload") for _ in range(3)]
        before, unknown = await fate(used), await fate(nobody)
        for ticket in (used, unused):
            assert (await front.send(ticket, FILE)).status_code == 201
        arrived = await fate(used)
        await front.call("upload_recontacts", ticket=used["ticket"])
        front.pass_time(901)
        after = [await fate(ticket) for ticket in (used, unused, empty)]
        posted = await fate(used, "POST")
        front.pass_time(86_401)
        await (await front.runtime()).ledger.tickets.expire(now=front.moment[0])
        forgotten = await fate(empty)
    assert [state for _, state, _ in (before, arrived, *after)] == ["waiting", "arrived", "used", "unused", "expired"]
    assert unknown == posted == forgotten
    assert (unknown[0], unknown[1]) == (404, "")
    for (_, _, said), words in zip(after, ("has used the file", "was not used until", "No file came"), strict=True):
        assert words in said
        assert CANARY not in said


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"content-encoding": "gzip"}, 415, id="compressed"),
        pytest.param({"content-encoding": "br"}, 415, id="compressed otherwise"),
        pytest.param({"content-type": "multipart/form-data; boundary=x"}, 415, id="a form with a file"),
        pytest.param({"content-type": "application/x-www-form-urlencoded"}, 415, id="a form"),
        pytest.param({"content-range": "bytes 0-9/99"}, 400, id="a part"),
        pytest.param({"content-length": "5000000"}, 413, id="too large"),
        pytest.param({"content-length": "9" * 99}, 413, id="much too large"),
    ],
)
async def test_what_is_not_the_plain_bytes_of_one_file_is_refused_before_it_is_read(
    era: str, fronted: "Fronted", headers: dict[str, str], status: int
) -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        refused = await front.send(ticket, FILE, **headers)
        plain = await front.send(ticket, FILE, **{"content-encoding": "identity"})
    assert (refused.status_code, plain.status_code) == (status, 201)
    assert "nothing was kept" in refused.text


@pytest.mark.parametrize(
    ("chunks", "status", "code"),
    [
        pytest.param([gzip.compress(FILE * 99)], 422, "INVALID_FILE", id="gzip"),
        pytest.param([b"PK", b"\x03\x04", b"\0" * 99], 422, "INVALID_FILE", id="a workbook"),
        pytest.param([FILE, b"\0"], 422, "INVALID_FILE", id="a NUL at the end"),
        pytest.param([b"canary, canary\n"] * 9, 422, "INVALID_FILE", id="no identifiers"),
        pytest.param([], 422, "INVALID_FILE", id="empty"),
        pytest.param([b"\n" * 500_000] * 3, 413, "FILE_TOO_LARGE", id="blank lines"),
        pytest.param([FILE * 1_000] * 200, 413, "FILE_TOO_LARGE", id="too much, without a length"),
        pytest.param([b"canary" * 99_999], 422, "INVALID_FILE", id="one line"),
        pytest.param(["canary\n".encode("utf-16") * 99_999], 422, "INVALID_FILE", id="UTF-16"),
    ],
)
async def test_what_is_no_list_is_not_kept_and_the_address_can_be_used_again(
    era: str, fronted: "Fronted", chunks: Sequence[bytes], status: int, code: str
) -> None:
    async def arriving() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        refused = await front.web.put(ticket["upload_url"], content=arriving(), headers={"accept": "application/json"})
        still = await front.refused("preview_upload", ticket=ticket["ticket"])
        again = await front.send(ticket, FILE)
    answer: Answer = refused.json()
    assert (refused.status_code, answer["code"], answer["ok"]) == (status, code, False)
    assert "the same address can still be used" in answer["message"]
    assert "canary" not in refused.text
    assert still["code"] == "TICKET_EMPTY"
    assert again.status_code == 201


def asked(path: str, *messages: Message, headers: Iterable[tuple[bytes, bytes]] = ()) -> tuple[Scope, Any, Any]:
    """Make a request of which only some messages come, and collect what is answered."""
    left: list[Message] = list(messages)
    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "method": "PUT",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": list(headers),
        "path_params": {"secret": path.rpartition("/")[2]},
    }

    async def receive() -> Message:
        if not left:
            await anyio.sleep_forever()
        return left.pop(0)

    async def send(message: Message) -> None:
        sent.append(message)

    scope["sent"] = sent
    return scope, receive, send


PART: Message = {"type": "http.request", "body": FILE, "more_body": True}


async def test_of_a_file_that_breaks_off_nothing_is_kept(era: str, fronted: "Fronted") -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        scope, receive, send = asked(ticket["upload_url"], PART, {"type": "http.disconnect"})
        await Door(front.parts)(scope, receive, send)
        empty = await front.refused("upload_recontacts", ticket=ticket["ticket"])
        again = await front.send(ticket, FILE)
    assert scope["sent"] == []
    assert (empty["code"], again.status_code) == ("TICKET_EMPTY", 201)


async def test_a_file_that_dawdles_is_given_up(era: str, fronted: "Fronted") -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        scope, receive, send = asked(ticket["upload_url"], PART)
        hasty = replace(front.parts, limits=Limits(body_seconds=0.001, body_bytes_per_second=1e9))
        await Door(hasty)(scope, receive, send)
        again = await front.send(ticket, FILE)
    assert [message.get("status") for message in scope["sent"]] == [408, None]
    assert again.status_code == 201


async def test_of_two_files_at_once_one_is_kept_and_the_other_finds_the_address_used(
    era: str, fronted: "Fronted"
) -> None:
    statuses: list[int] = []

    async def send(front: "Front", ticket: "Answer") -> None:
        statuses.append((await front.send(ticket, FILE)).status_code)

    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        async with anyio.create_task_group() as sending:
            for _ in range(3):
                sending.start_soon(send, front, ticket)
        preview = await front.call("preview_upload", ticket=ticket["ticket"])
    assert sorted(statuses) == [201, 404, 404]
    assert preview["ids_to_send"] == 1


async def test_nobody_takes_all_the_places_of_files_that_arrive(era: str, fronted: "Fronted") -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        door = Door(front.parts)
        scope, receive, send = asked(ticket["upload_url"], PART)
        async with anyio.create_task_group() as dawdling:
            for _ in range(AT_ONCE_EACH):
                dawdling.start_soon(door, *asked(ticket["upload_url"], PART))
            await anyio.wait_all_tasks_blocked()
            await door(scope, receive, send)
            dawdling.cancel_scope.cancel()
        done, receive, send = asked(ticket["upload_url"], {**PART, "more_body": False})
        await door(done, receive, send)
    assert [message.get("status") for message in scope["sent"]] == [503, None]
    assert (b"retry-after", b"30") in scope["sent"][0]["headers"]
    assert [message.get("status") for message in done["sent"]] == [201, None]


async def test_the_operator_may_want_smaller_files(era: str, fronted: "Fronted") -> None:
    async with fronted(era, staged_bytes=37, staged_seconds=60.0) as front:
        ticket = await front.call("stage_upload")
        large = await front.send(ticket, FILE * 2)
        small = await front.send(ticket, FILE)
    assert (ticket["max_bytes"], ticket["expires_at"]) == (37, "2030-01-01T12:01:00+00:00")
    assert (large.status_code, small.status_code) == (413, 201)


async def test_a_key_that_cannot_be_used_keeps_nothing_and_says_so(
    era: str, fronted: "Fronted", tmp_path: Path
) -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        key = tmp_path / "data" / "snapshots.key"
        key.write_bytes(b"short")
        broken = await front.send(ticket, FILE)
        key.unlink()
        mended = await front.send(ticket, FILE)
        key.unlink()
        lost = await front.refused("preview_upload", ticket=ticket["ticket"])
    assert (broken.status_code, mended.status_code) == (503, 201)
    assert "key of the snapshots" in broken.text
    assert lost["code"] == "SNAPSHOT_UNREADABLE"
