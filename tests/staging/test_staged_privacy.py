"""What is staged is sealed, told to nobody, and gone when it was used or its time is over."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledger_places import counted, kept_by

from recontact_tools.errors import RecontactError
from recontact_tools.identifiers import Dropped, RespondentFile
from recontact_tools.ledger.trail import Wanted
from recontact_tools.sealing import Seal
from recontact_tools.staged import PIECE_BYTES, closed, file_of, opened, report_of

if TYPE_CHECKING:
    from tests.staging.conftest import Fronted

    from recontact_mcp.settings import Settings

pytestmark = pytest.mark.anyio

CANARY = "c0ffee00-0000-4000-8000-00000000cafe"
FILE = f"rsid,mail\n{CANARY},canary@example.com\n".encode()
SEAL = Seal(lambda: bytes(32))


def on_disk(folder: Path) -> bytes:
    """Read every byte of a data directory."""
    return b"".join(file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file())


def pieces(settings: "Settings") -> int:
    """Count the sealed pieces in the ledger."""
    return counted(kept_by(settings), "ticket_pieces")


async def until_none_is_left(settings: "Settings") -> None:
    """Wait until no piece is kept."""
    while pieces(settings):  # noqa: ASYNC110 - another process could be what deletes them
        await anyio.sleep(0.01)


async def test_a_staged_file_lies_sealed_and_its_names_are_kept_as_hashes_only(
    era: str, fronted: "Fronted", settings: "Settings"
) -> None:
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        await front.send(ticket, FILE)
        await front.call("preview_upload", ticket=ticket["ticket"])
        lying = on_disk(settings.data_dir) + (b"" if settings.database_url is None else kept_by(settings).pages())
        kept = pieces(settings)
    secret = ticket["upload_url"].rpartition("/")[2]
    assert kept == 1
    for canary in (CANARY, CANARY.replace("-", ""), "canary@", ticket["ticket"], secret):
        assert canary.encode() not in lying
        assert bytes.fromhex(CANARY.replace("-", "")) not in lying


async def test_a_staged_file_is_deleted_when_it_was_used(era: str, fronted: "Fronted", settings: "Settings") -> None:
    async with fronted(era) as front:
        ticket = await front.staged(FILE)
        assert pieces(settings) == 1
        await front.call("upload_recontacts", ticket=ticket)
        left = pieces(settings)
    assert left == 0


async def test_a_file_that_nobody_used_is_deleted_soon_after_it_has_expired(
    era: str, fronted: "Fronted", settings: "Settings"
) -> None:
    async with fronted(era) as front:
        ticket = await front.staged(FILE)
        front.pass_time(899)
        await front.call("preview_upload", ticket=ticket)
        front.pass_time(1)
        error = await front.refused("upload_recontacts", ticket=ticket)
        await until_none_is_left(settings)
    assert error["code"] == "TICKET_NOT_VALID"


async def test_a_file_that_was_forgotten_is_deleted_by_the_next_server(
    era: str, fronted: "Fronted", settings: "Settings"
) -> None:
    async with fronted(era, staged_seconds=0.001) as front:
        ticket = await front.call("stage_upload")
        await front.send(ticket, FILE)
    assert pieces(settings) == 1
    async with fronted(era) as front:
        front.pass_time(1)
        await front.call("get_recontact_overview")
        await until_none_is_left(settings)


async def test_nothing_that_was_sent_and_no_secret_is_logged_told_or_audited(
    era: str, fronted: "Fronted", caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    told: list[str] = []
    async with fronted(era) as front:
        ticket = await front.call("stage_upload")
        secret = ticket["upload_url"].rpartition("/")[2]
        for content in (FILE + b"\0", b"\xff\xfe" + FILE, FILE * 99_999, FILE, FILE):
            for accept in ("application/json", "*/*"):
                answer = await front.send(ticket, content, accept=accept)
                told += [answer.text, str(answer.headers)]
        told += [json.dumps(await front.ask("preview_upload", ticket=ticket["ticket"], column="mail"))]
        told += [
            json.dumps(await front.ask("upload_recontacts", ticket=ticket["ticket"], id_type=kind))
            for kind in ("RSID", "RID")
        ]
        audited = [str(entry) for entry in await (await front.runtime()).ledger.audit.newest(500, Wanted())]
    logged = "\n".join(
        record.getMessage() + str(record.exc_info) for record in caplog.records if record.name != "httpx"
    )
    for where in (*told, *audited, logged):
        assert CANARY not in where
        assert "canary@" not in where
        assert secret not in where
    assert ticket["ticket"] not in "".join(audited)
    assert [name for name in ("ticket_issued", "ticket_filled", "ticket_used") if name not in "".join(audited)] == []


async def test_guessed_forged_and_foreign_tickets_all_meet_one_refusal(
    era: str, fronted: "Fronted", content: bytes
) -> None:
    async with fronted(era) as front:
        made = await front.call("stage_upload")
        await front.send(made, content)
        used = await front.staged(FILE)
        await front.call("upload_recontacts", ticket=used)
        errors = [
            await front.refused("upload_recontacts", **wrong)
            for wrong in (
                {"ticket": "A" * 22},
                {"ticket": made["ticket"][:-1]},
                {"ticket": made["ticket"] + "A"},
                {"ticket": made["upload_url"].rpartition("/")[2]},
                {"ticket": made["upload_url"]},
                {"ticket": "' OR 1=1 --"},
                {"ticket": "\u0000\ud7ff"},
                {"ticket": made["ticket"], "project_id": "01BTGNYV6HRNK8K8VKZASZCFP9"},
                {"ticket": made["ticket"], "target_group_id": "01BTGNYV6HRNK8K8VKZASZCFP9"},
                {"ticket": used, "column": "rsid"},
            )
        ]
        front.pass_time(900)
        errors.append(await front.refused("upload_recontacts", ticket=made["ticket"]))
    assert all(error == errors[0] for error in errors)
    assert (errors[0]["code"], errors[0]["changed"]) == ("TICKET_NOT_VALID", "no")


SIZES = st.integers(0, 3 * PIECE_BYTES)


@given(size=SIZES)
def test_what_was_sealed_opens_as_it_was(size: int) -> None:
    content = bytes(index % 251 for index in range(size % 1_000)) * (1 + size // 1_000)
    assert opened(SEAL, "T", tuple(closed(SEAL, "T", content))) == content


Pieces = list[bytes]
SWAPS: dict[str, Callable[[Pieces, Pieces], Pieces]] = {
    "another ticket's": lambda _one, two: two,
    "in another order": lambda one, _two: [one[1], one[0], one[2]],
    "one is missing": lambda one, _two: one[:2],
    "one twice": lambda one, _two: [*one, one[2]],
    "one of another ticket": lambda one, two: [one[0], two[1], one[2]],
    "cut": lambda one, _two: [one[0][:-1], *one[1:]],
    "of a snapshot": lambda _one, _two: [SEAL.close(b"x", place=f"ONE/{number}") for number in range(3)],
}


@pytest.mark.parametrize("swapped", SWAPS.values(), ids=SWAPS)
def test_pieces_open_in_their_own_place_only(swapped: Callable[[Pieces, Pieces], Pieces]) -> None:
    content = bytes(2 * PIECE_BYTES + 1)
    one, two = closed(SEAL, "ONE", content), closed(SEAL, "TWO", content)
    assert opened(SEAL, "ONE", tuple(one)) == content
    with pytest.raises(RecontactError):
        opened(SEAL, "ONE", tuple(swapped(one, two)))


def test_what_is_written_down_of_a_used_file_is_all_but_its_content() -> None:
    file = RespondentFile(
        content=FILE,
        ids=3,
        lines=7,
        dropped=(Dropped("duplicate", 2, (3, 4)),),
        column="rsid",
        delimiter=",",
        had_header=True,
        hints=("Look.",),
    )
    assert CANARY not in report_of(file)
    assert file_of(report_of(file)) == replace(file, content=b"")
