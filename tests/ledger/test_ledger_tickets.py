"""The tickets of the ledger: one file each, used up once, with what it is used for or not at all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
import pytest

from recontact_tools.errors import Detail
from recontact_tools.ledger import (
    Intent,
    Ledger,
    Replacement,
    Spending,
    Stage,
    Ticket,
    TicketUsed,
    TooManyTickets,
)
from recontact_tools.ledger.entries import Event
from recontact_tools.ledger.ticket_interface import OPEN_TICKETS_MAX, USED_FOR
from recontact_tools.ledger.trail import Wanted
from recontact_tools.models import JobKind, TargetGroup

pytestmark = pytest.mark.anyio

LIFE = timedelta(minutes=15)
SPENDING = Spending("T1", "wish", "report")
NO: dict[str, Detail] = {"code": "UNREACHABLE", "message": "No.", "safe_to_repeat": True, "next_step": "Repeat."}

Make = Callable[..., Ticket]


@pytest.fixture
def ticket(now: datetime, group: TargetGroup) -> Make:
    """Make a ticket; fields can be given."""

    def make(ticket_id: str = "T1", **fields: Any) -> Ticket:
        usual: dict[str, Any] = {
            "principal": "ann",
            "group": group,
            "bytes_max": 100,
            "created_at": now,
            "expires_at": now + LIFE,
        }
        return Ticket(ticket_id=ticket_id, **{**usual, **fields})

    return make


async def issued(ledger: Ledger, ticket: Ticket, *, filled: bool = True) -> Ticket:
    """Write a ticket down under hashes that are its id, and fill it."""
    await ledger.tickets.issue(ticket, handle_hash=ticket.ticket_id, url_hash=f"url {ticket.ticket_id}")
    if filled:
        assert await ledger.tickets.fill(ticket.ticket_id, [b"one", b"two"], ids=2, now=ticket.created_at)
    return ticket


async def test_a_ticket_waits_for_one_file_until_it_expires(ledger: Ledger, ticket: Make, now: datetime) -> None:
    made = await issued(ledger, ticket(), filled=False)
    last = now + LIFE - timedelta(microseconds=1)
    assert await ledger.tickets.awaiting("url T1", now=last) == made
    assert await ledger.tickets.awaiting("T1", now=now) is None
    assert await ledger.tickets.awaiting("url T1", now=now + LIFE) is None
    assert not await ledger.tickets.fill("T1", [b"late"], ids=1, now=now + LIFE)
    assert await ledger.tickets.fill("T1", [b"one"], ids=1, now=last)
    assert not await ledger.tickets.fill("T1", [b"two"], ids=1, now=last)
    assert await ledger.tickets.awaiting("url T1", now=now) is None
    assert await ledger.tickets.sealed("T1") == (b"one",)


async def test_of_files_that_arrive_at_once_one_is_kept(ledger: Ledger, ticket: Make, now: datetime) -> None:
    await issued(ledger, ticket(), filled=False)
    kept: list[bool] = []

    async def fill(number: int) -> None:
        kept.append(await ledger.tickets.fill("T1", [b"%d" % number] * 3, ids=1, now=now))

    async with anyio.create_task_group() as arriving:
        for number in range(6):
            arriving.start_soon(fill, number)
    assert sorted(kept) == [False] * 5 + [True]
    assert len(set(await ledger.tickets.sealed("T1"))) == 1


async def test_only_its_principal_finds_a_ticket_and_only_for_its_target_group(
    ledger: Ledger, ticket: Make, now: datetime, group: TargetGroup
) -> None:
    made = await issued(ledger, ticket(), filled=False)
    other = replace(group, target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2")

    assert await ledger.tickets.find("T1", principal="ann", group=group, now=now) == made
    assert await ledger.tickets.find("T1", principal="bob", group=group, now=now) is None
    assert await ledger.tickets.find("T1", principal="ann", group=other, now=now) is None
    assert await ledger.tickets.find("url T1", principal="ann", group=group, now=now) is None
    assert await ledger.tickets.find("T1", principal="ann", group=group, now=now + LIFE) is None


async def test_a_ticket_is_used_up_with_the_intent_that_it_is_for(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent], now: datetime, group: TargetGroup
) -> None:
    await issued(ledger, ticket())
    await ledger.open_intent(upload(fingerprint="f"), payload=b"x", spending=SPENDING)
    later = now + LIFE + timedelta(hours=1)
    used = await ledger.tickets.find("T1", principal="ann", group=group, now=later)
    assert used is not None
    assert (used.used_by, used.wish, used.report) == ("INTENT1", "wish", "report")


async def test_a_ticket_that_was_used_lets_nothing_else_begin(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent], group: TargetGroup
) -> None:
    await issued(ledger, ticket())
    await ledger.open_intent(upload(), payload=b"x", spending=SPENDING)
    elsewhere = replace(group, target_group_id="01BTGNYV6HRNK8K8VKZASZCFP2")
    for other, spending in (("INTENT2", SPENDING), ("INTENT3", Spending("T0", "", ""))):
        with pytest.raises(TicketUsed):
            await ledger.open_intent(upload(other, group=elsewhere), payload=b"x", spending=spending)
        assert await ledger.get(other) is None


async def test_a_ticket_without_a_file_is_not_used_up(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent]
) -> None:
    await issued(ledger, ticket(), filled=False)
    with pytest.raises(TicketUsed):
        await ledger.open_intent(upload(), payload=b"x", spending=SPENDING)


async def test_an_upload_that_was_refused_gives_its_ticket_back(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent], now: datetime, group: TargetGroup
) -> None:
    await issued(ledger, ticket())
    await ledger.open_intent(upload(), payload=b"x", spending=SPENDING)
    await ledger.tickets.empty("T1", now=now)
    assert await ledger.tickets.sealed("T1") == (b"one", b"two")
    await ledger.withdraw("INTENT1", NO, now=now)
    again = await ledger.tickets.find("T1", principal="ann", group=group, now=now)
    assert again is not None
    assert again.used_by is None
    await ledger.open_intent(upload("INTENT2"), payload=b"x", spending=SPENDING)
    await ledger.mark_sending("INTENT2", now=now)
    await ledger.mark_started("INTENT2", job_id="J", now=now)
    await ledger.tickets.empty("T1", now=now)
    assert await ledger.tickets.sealed("T1") == ()


async def test_that_a_ticket_was_given_back_is_in_the_trail_once(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent], now: datetime, group: TargetGroup
) -> None:
    await issued(ledger, ticket())
    await ledger.open_intent(upload(), payload=b"x", spending=SPENDING)
    for _ in range(2):  # while what used it may be sent, and afterwards
        await ledger.tickets.find("T1", principal="ann", group=group, now=now)
        await ledger.withdraw("INTENT1", NO, now=now)
    for _ in range(2):
        await ledger.tickets.find("T1", principal="ann", group=group, now=now)
    told = [entry for entry in await ledger.audit.newest(50, Wanted()) if entry.event == Event.TICKET_GIVEN_BACK]
    assert [(entry.principal, dict(entry.detail)) for entry in told] == [
        ("ann", {"ticket": "T1", "used_by": "INTENT1"})
    ]


async def test_a_ticket_that_has_expired_is_neither_used_nor_kept_although_its_file_is_still_there(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent], now: datetime
) -> None:
    await issued(ledger, ticket())
    over = now + LIFE
    assert not await ledger.tickets.prolong("T1", until=over + LIFE, now=over)
    with pytest.raises(TicketUsed):
        await ledger.open_intent(upload(created_at=over, updated_at=over), payload=b"x", spending=SPENDING)
    assert await ledger.get("INTENT1") is None
    last = over - timedelta(microseconds=1)
    await ledger.open_intent(upload(created_at=last, updated_at=last), payload=b"x", spending=SPENDING)


@pytest.mark.parametrize("was_sent", [False, True])
async def test_a_replacement_that_was_refused_gives_its_ticket_back_unless_its_removal_was_sent(
    ledger: Ledger,
    ticket: Make,
    replacement: Callable[..., Replacement],
    upload: Callable[..., Intent],
    now: datetime,
    group: TargetGroup,
    *,
    was_sent: bool,
) -> None:
    await issued(ledger, ticket())
    await ledger.replacements.open(replacement(), spending=SPENDING)
    await ledger.open_intent(upload("OTHER", parent_id=None, group=replace(group, account_id=7)), payload=b"x")
    await ledger.mark_sending("OTHER", now=now)
    await ledger.mark_started("OTHER", job_id="J", now=now)
    removal = upload("OLD-R1", kind=JobKind.REMOVAL, id_type=None, file_name=None, parent_id="R1")
    await ledger.open_intent(removal, payload=None)
    await ledger.tickets.empty("T1", now=now)
    assert await ledger.tickets.expire(now=now) == 0
    if was_sent:
        await ledger.mark_sending("OLD-R1", now=now)
        await ledger.mark_started("OLD-R1", job_id="J", now=now)
        assert await ledger.replacements.move("R1", Stage.REMOVING, Stage.REFUSED, now=now)
    else:
        assert await ledger.replacements.withdraw("R1", NO, now=now)
    found = await ledger.tickets.find("T1", principal="ann", group=group, now=now)
    assert found is not None
    assert found.used_by == ("R1" if was_sent else None)
    assert await ledger.tickets.expire(now=now) == int(was_sent)


async def test_files_are_deleted_when_they_were_used_or_have_expired(
    ledger: Ledger, ticket: Make, upload: Callable[..., Intent], now: datetime, group: TargetGroup
) -> None:
    for ticket_id, life in (("T1", LIFE), ("T2", LIFE / 2), ("T3", LIFE)):
        await issued(ledger, ticket(ticket_id, expires_at=now + life))
    await issued(ledger, ticket("T4", expires_at=now + LIFE / 2), filled=False)
    await ledger.open_intent(upload(), payload=b"x", spending=SPENDING)
    assert await ledger.tickets.expire(now=now) == 0
    await ledger.mark_sending("INTENT1", now=now)
    await ledger.mark_started("INTENT1", job_id="J", now=now)

    assert await ledger.tickets.expire(now=now + LIFE / 2) == 3
    assert await ledger.tickets.expire(now=now + LIFE / 2) == 0
    assert [len(await ledger.tickets.sealed(f"T{number}")) for number in (1, 2, 3)] == [0, 0, 2]
    assert await ledger.tickets.find("T1", principal="ann", group=group, now=now + LIFE) is not None
    await ledger.tickets.expire(now=now + LIFE + USED_FOR)
    assert await ledger.tickets.find("T1", principal="ann", group=group, now=now) is None


async def test_nobody_has_more_tickets_than_a_person_needs(ledger: Ledger, ticket: Make, now: datetime) -> None:
    for number in range(OPEN_TICKETS_MAX):
        await issued(ledger, ticket(f"T{number}"), filled=False)
    with pytest.raises(TooManyTickets):
        await issued(ledger, ticket("T99"), filled=False)
    await issued(ledger, ticket("T98", principal="bob"), filled=False)
    later = now + LIFE
    await issued(ledger, ticket("T97", created_at=later, expires_at=later + LIFE), filled=False)


async def test_a_file_that_is_there_is_kept_for_longer_and_never_for_less(
    ledger: Ledger, ticket: Make, now: datetime
) -> None:
    await issued(ledger, ticket())
    await issued(ledger, ticket("T2"), filled=False)
    later, hour = ledger.tickets.prolong, timedelta(hours=1)

    async def ends() -> datetime | None:
        found = await ledger.tickets.addressed("url T1")
        return None if found is None else found.expires_at

    seen: list[tuple[bool, datetime | None]] = []
    for until in (now + hour, now + LIFE, now + 2 * hour):
        kept = await later("T1", until=until, now=now)
        seen.append((kept, await ends()))
    assert seen == [(True, now + hour), (True, now + hour), (True, now + 2 * hour)]
    assert [await later(name, until=now + hour, now=now) for name in ("T2", "T3")] == [
        False,
        False,
    ]  # no file, no ticket
    await ledger.tickets.expire(now=now + 2 * hour)
    assert not await later("T1", until=now + 3 * hour, now=now)
    assert await ledger.tickets.addressed("T1") is None
