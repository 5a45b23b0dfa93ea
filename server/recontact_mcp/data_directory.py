"""A data directory, or a database, that cannot be used: one line in the log, and one error that says what to do."""

import logging
from collections.abc import Generator
from contextlib import contextmanager, suppress

from recontact_mcp.groups import leaves
from recontact_tools.engine import DurableEngine
from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.ledger import Ledger, LedgerFault
from recontact_tools.ledger.sqlite_connection import anticipating_sqlite
from recontact_tools.runtime import Clock

logger = logging.getLogger(__name__)


@contextmanager
def anticipating_faults(*, database: bool = False) -> Generator[None]:
    """Translate what a data directory raises that is missing, full, damaged or not ours to write.

    With *database* it is a PostgreSQL that cannot be reached or used.

    Raises:
        Unreachable: It cannot be used; nothing was sent.
    """
    faults: tuple[str, ...] = ()
    try:
        with anticipating_sqlite():
            yield
    except* (OSError, LedgerFault) as group:
        faults = tuple(sorted({type(error).__name__ for error in leaves(group)}))
    if faults:
        # Not the texts: those of the system hold paths, and those of a database its address.
        logger.error("The %s cannot be used: %s", "database" if database else "data directory", ", ".join(faults))
        raise _no_database() if database else _no_directory()


def _no_directory() -> Unreachable:
    return Unreachable(
        "The server cannot use its data directory; nothing was sent and nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Tell the user to run `recontact-mcp doctor` and to set RECONTACT_DATA_DIR to a directory that "
        "they can write, with no damaged database in it. Then repeat the call.",
    )


def _no_database() -> Unreachable:
    return Unreachable(
        "The server cannot use its database; nothing was sent and nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        safe_to_repeat=True,
        next_step="Repeat the call in a minute: each call tries again. If it stays, tell the user that the PostgreSQL "
        "which RECONTACT_DATABASE_URL names cannot be reached, or not be used with that user.",
    )


# ours: a file lives for minutes; one that was forgotten is gone soon after, for a read of some 20 us in two minutes.
FORGOTTEN_WITHIN_SECONDS = 120.0


async def forget_staged(ledger: Ledger, clock: Clock, *, database: bool = False) -> None:
    """Delete the staged files that were used or whose time has come, again and again, and tell of counted refusals."""
    while True:
        with suppress(Unreachable), anticipating_faults(database=database):
            await ledger.tickets.expire(now=clock.now())
            await ledger.audit.settle_refusals(now=clock.now())
        await clock.sleep(FORGOTTEN_WITHIN_SECONDS)


async def resume(engine: DurableEngine, *, database: bool = False) -> None:
    """Resume what an earlier process left; where that fails, calls are still answered and the rest waits."""
    with suppress(Unreachable), anticipating_faults(database=database):
        await engine.wake()
