"""Comparing respondent ids with those that a target group stores, which means reading all of these."""

import math
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress

import anyio
import anyio.lowlevel

from recontact_tools.errors import ErrorCode, NotAllowed, RecontactError, Unreachable
from recontact_tools.guardrails import IDS_PER_TARGET_GROUP, StoredThatFits, check_capacity
from recontact_tools.identifiers import RespondentFile
from recontact_tools.models import IdType, RespondentPage, TargetGroup
from recontact_tools.runtime import Runtime

PAGE_IDS = 100  # source: cint-api.md section 2.8, the largest page
ROOM_SECONDS = 30.0  # ours: before a start, which needs time for its own answer
COMPARE_SECONDS = 40.0  # ours: hosts give a call up after about 60 s, and a call also does other things
RIDS_NOT_COMPARABLE = (
    "RIDs cannot be compared with what is stored: Cint stores respondent IDs and does not tell which RID is whose."
)
_ID_BYTES = 16
_BETWEEN_DIGITS = b"-\n"

PageAt = Callable[[str | None], Awaitable[RespondentPage]]
"""Read the page at a cursor, the first one at None."""


def packed_file(file: RespondentFile) -> list[bytes]:
    """Return the ids of a checked file as 16 bytes each, in its order."""
    # One conversion for all of them: one for each would hold up everybody else for a tenth of a second.
    whole = bytes.fromhex(file.content.translate(None, _BETWEEN_DIGITS).decode())
    return [whole[start : start + _ID_BYTES] for start in range(0, len(whole), _ID_BYTES)]


def check_affordable(count: int, *, pages_max: int) -> None:
    """Accept a comparison with *count* stored ids that reads at most *pages_max* pages.

    Raises:
        NotAllowed: it would read more.
    """
    pages = math.ceil(count / PAGE_IDS)
    if pages > pages_max:
        raise _too_many_pages(f"{count} stored IDs are {pages} pages", pages_max)


async def stored_ids(runtime: Runtime, group: TargetGroup, count: int, *, seconds: float) -> frozenset[bytes]:
    """Read all ids that *group* stores, 16 bytes each; *count* is how many the overview has just said.

    Raises:
        NotAllowed: There are more pages than the operator lets one comparison read.
        Unreachable: The list could not be read whole in *seconds*, is broken, or is not the one that was counted.
        Refused: The API refused a page.
    """
    check_affordable(count, pages_max=runtime.rules.compare_pages)
    if count == 0:
        return frozenset()

    async def page_at(cursor: str | None) -> RespondentPage:
        return await runtime.gateway.list_respondents(group, page_size=PAGE_IDS, cursor=cursor)

    with anyio.move_on_after(seconds):
        found = await collected(page_at, pages_max=runtime.rules.compare_pages)
        # The list may have changed while it was read; what was counted last must be what was found.
        if len(found) == count or len(found) == await runtime.gateway.get_overview(group):
            return found
        raise _unreadable("The list of stored IDs and their count do not agree, so a job may be changing them.")
    raise _unreadable("Reading all stored IDs took too long.")


async def collected(page_at: PageAt, *, pages_max: int) -> frozenset[bytes]:
    """Read a list of ids to its end by its cursors, 16 bytes an id; a page may be short or empty.

    Raises:
        NotAllowed: There are more than *pages_max* pages.
        Unreachable: A cursor comes again, or what is listed is not an id.
    """
    found: set[bytes] = set()
    cursor: str | None = None
    visited: set[str] = set()
    for _ in range(pages_max):
        page = await page_at(cursor)
        found.update(packed_ids(page.respondent_ids))
        cursor = page.next_cursor
        if cursor is None:
            return frozenset(found)
        if cursor in visited:
            raise _unreadable("The list of stored IDs repeats itself.")
        visited.add(cursor)
        await anyio.lowlevel.checkpoint()  # the embedded service answers without ever giving way to others
    raise _too_many_pages("The list of stored IDs has more pages", pages_max)


async def check_room(
    runtime: Runtime, group: TargetGroup, file: RespondentFile, *, id_type: IdType, stored: int
) -> StoredThatFits:
    """Accept a file that fits beside *stored* ids, and return *stored*.

    Where it fits only because some of its RSIDs are stored already, these are looked for, if that is affordable;
    if not, every id counts as new.

    Raises:
        InvalidInput: it does not fit.
    """
    new = file.ids
    if stored + new > IDS_PER_TARGET_GROUP and id_type is IdType.RSID:
        with suppress(RecontactError):
            new = count_new(file, await stored_ids(runtime, group, stored, seconds=ROOM_SECONDS))
    return check_capacity(stored, new)


def count_new(file: RespondentFile, stored: frozenset[bytes]) -> int:
    """Count the ids of a file that are not stored."""
    return sum(one not in stored for one in packed_file(file))


def packed_ids(respondent_ids: Iterable[str]) -> list[bytes]:
    """Return listed ids as 16 bytes each.

    Raises:
        Unreachable: One of them is not an id.
    """
    try:
        found = [bytes.fromhex(one.replace("-", "")) for one in respondent_ids]
    except ValueError:
        found = [b""]
    if any(len(one) != _ID_BYTES for one in found):
        raise _unreadable("The list of stored IDs holds something that is not an ID.")
    return found


def _too_many_pages(what: str, pages_max: int) -> NotAllowed:
    return NotAllowed(
        f"{what}; one comparison may read {pages_max} (RECONTACT_COMPARE_PAGES).",
        next_step="Go on without comparing. Only the operator of this server can change RECONTACT_COMPARE_PAGES.",
        details={"setting": "RECONTACT_COMPARE_PAGES"},
    )


def _unreadable(message: str) -> Unreachable:
    return Unreachable(
        message,
        code=ErrorCode.UNAVAILABLE,
        next_step="Repeat the call in a few minutes; reading changes nothing.",
    )
