"""A data directory that cannot be used: one line in the log, and one error that says what to do."""

import logging
from collections.abc import Generator
from contextlib import contextmanager, suppress

from recontact_mcp.groups import leaves
from recontact_tools.engine import DurableEngine
from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.ledger import LedgerFault
from recontact_tools.ledger.sqlite_connection import anticipating_sqlite

logger = logging.getLogger(__name__)


@contextmanager
def anticipating_faults() -> Generator[None]:
    """Translate what a data directory raises that is missing, full, damaged or not ours to write.

    Raises:
        Unreachable: The data directory cannot be used; nothing was sent.
    """
    faults: tuple[str, ...] = ()
    try:
        with anticipating_sqlite():
            yield
    except* (OSError, LedgerFault) as group:
        faults = tuple(sorted({type(error).__name__ for error in leaves(group)}))
    if faults:
        # Not the texts: those of the system hold paths.
        logger.error("The data directory cannot be used: %s", ", ".join(faults))
        raise Unreachable(
            "The server cannot use its data directory; nothing was sent and nothing was changed.",
            code=ErrorCode.UNAVAILABLE,
            next_step="Tell the user to run `recontact-mcp doctor` and to set RECONTACT_DATA_DIR to a directory that "
            "they can write, with no damaged database in it. Then repeat the call.",
        )


async def resume(engine: DurableEngine) -> None:
    """Resume what an earlier process left; where that fails, calls are still answered and the rest waits."""
    with suppress(Unreachable), anticipating_faults():
        await engine.wake()
