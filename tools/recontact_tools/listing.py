"""Reading all ids that a target group stores: through outages, and until the list holds still."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeVar

import anyio.lowlevel

from recontact_tools.comparing import PAGE_IDS, packed_ids
from recontact_tools.errors import ErrorCode, RateLimited, Unreachable
from recontact_tools.schedule import hindered_look, look_delay
from recontact_tools.sealed_lists import PIECE_IDS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recontact_tools.desk import Desk
    from recontact_tools.models import RespondentPage, TargetGroup

# ours: an outage of this length is waited out; whoever agreed to a removal is still near.
OUTAGE_WAITED_OUT = timedelta(minutes=10)
# ours: a list that changed during three readings is being changed by somebody else.
READINGS_AT_MOST = 3
# source: cint-api.md section 2.8, pages may be short or empty; ours: but not endlessly many in a row.
_PAGES_AT_MOST = 5_000

_Read = TypeVar("_Read")


class Changing(Exception):
    """The list is not the one that was counted: read it again."""


async def patiently(desk: Desk, read: Callable[[], Awaitable[_Read]]) -> _Read:
    """Return what *read* returns, asking again while the API does not answer.

    Raises:
        Unreachable: The outage lasts too long.
        Refused: The API refused the read.
    """
    until, attempt = desk.clock.now() + OUTAGE_WAITED_OUT, 0
    while True:
        try:
            async with desk.at_work():
                return await read()
        except (Unreachable, RateLimited) as error:
            if desk.clock.now() >= until or error.code is ErrorCode.SNAPSHOT_UNREADABLE:
                raise
            delay = hindered_look(look_delay(attempt, pace=desk.pace), 0, retry_after=error.retry_after)
            await desk.clock.sleep(delay)
            attempt += 1


async def next_ids(desk: Desk, group: TargetGroup, cursor: str | None) -> tuple[list[bytes], str | None]:
    """Read pages until they make a piece, or the list ends; return the ids and the cursor behind them.

    Raises:
        Unreachable: The list cannot be read, or has no end.
        Refused: The API refused a page.
    """
    found: list[bytes] = []

    async def page() -> RespondentPage:
        return await desk.gateway.list_respondents(group, page_size=PAGE_IDS, cursor=cursor)

    for _ in range(_PAGES_AT_MOST):
        read = await patiently(desk, page)
        found += packed_ids(read.respondent_ids)
        cursor = read.next_cursor
        if cursor is None or len(found) >= PIECE_IDS:
            return found, cursor
        await anyio.lowlevel.checkpoint()  # the embedded service answers without ever giving way to others
    raise unlisted("The list of stored IDs has no end.")


async def count_stored(desk: Desk, group: TargetGroup) -> int:
    """Count what is stored.

    Raises:
        Unreachable: The count cannot be read.
        Refused: The API refused it.
    """
    return await patiently(desk, lambda: desk.gateway.get_overview(group))


async def all_ids(desk: Desk, group: TargetGroup) -> list[bytes]:
    """Read all ids that a target group stores, as many as its overview counts.

    Raises:
        Unreachable: They cannot be read whole, or change all the time.
        Refused: The API refused a page.
    """
    for reading in range(READINGS_AT_MOST):
        ids = await _all(desk, group, expected=await count_stored(desk, group))
        if is_whole(ids, await count_stored(desk, group)):
            return ids
        await desk.clock.sleep(look_delay(reading, pace=desk.pace))
    raise unlisted("The list of stored IDs changed while it was read, or did not agree with its count.")


async def _all(desk: Desk, group: TargetGroup, *, expected: int) -> list[bytes]:
    ids: list[bytes] = []
    cursor: str | None = None
    while expected and len(ids) <= expected:
        found, cursor = await next_ids(desk, group, cursor)
        ids += found
        if cursor is None:
            break
    return ids


def is_whole(ids: list[bytes], stored: int) -> bool:
    """Tell whether a list has no id twice, and as many as are counted."""
    return len(ids) == len(frozenset(ids)) == stored


def unlisted(message: str) -> Unreachable:
    """Say that the stored ids could not be read as a whole."""
    return Unreachable(
        message,
        code=ErrorCode.SNAPSHOT_INCOMPLETE,
        next_step="Make sure that nobody else changes this target group, then repeat the call in a few minutes.",
    )
