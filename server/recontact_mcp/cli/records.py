"""The ledger as commands use it: opened for one piece of work, beside servers that run, and never for its own sake."""

# Imports stand inside the functions that need them: `--help` does not pay for the ledger.
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING, TypeVar

import anyio

from recontact_mcp.cli.console import stop
from recontact_mcp.groups import leaves
from recontact_tools.errors import ErrorCode, RecontactError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recontact_mcp.settings import Settings
    from recontact_tools.ledger import Ledger, Snapshot

_Result = TypeVar("_Result")

KEY_CURE = (
    "The key is RECONTACT_SNAPSHOT_KEY, or the file snapshots.key in the data directory, which must be yours alone "
    "(chmod 600). A list that was sealed with another key opens with that one only."
)

LOOK_CURE = "What is wrong, and how to mend it: recontact-mcp doctor"


def with_ledger(settings: "Settings", work: "Callable[[Ledger], Awaitable[_Result]]", *, otherwise: _Result) -> _Result:
    """Return what *work* returns, or *otherwise* where nothing was started yet; no engine is started for it.

    Raises:
        typer.Exit: The ledger cannot be read, or the work was refused.
    """
    from recontact_mcp.storage import existing_ledger
    from recontact_tools.ledger import LedgerFault
    from recontact_tools.ledger.faults import NoLedger

    async def run() -> _Result:
        try:
            async with existing_ledger(settings) as ledger:
                return await work(ledger)
        except NoLedger:
            return otherwise

    trouble: list[BaseException] = []
    result = otherwise
    try:
        result = anyio.run(run)
    except* (LedgerFault, RecontactError, OSError) as group:
        trouble += leaves(group)
    for error in trouble:
        _tell(error)
    return result


def place_of(settings: "Settings") -> str:
    """Say where this terminal looks; the address of a database may hold a password."""
    if settings.database_url is not None:
        return f"the database of RECONTACT_DATABASE_URL (namespace {settings.namespace})"
    return f"the data directory {settings.home}"


def kept_snapshots(settings: "Settings") -> "tuple[Snapshot, ...]":
    """Return what is kept of removals, the latest first.

    Raises:
        typer.Exit: The ledger cannot be read.
    """
    nothing: tuple[Snapshot, ...] = ()

    async def read(ledger: "Ledger") -> "tuple[Snapshot, ...]":
        return await ledger.snapshots.kept()

    return with_ledger(settings, read, otherwise=nothing)


def _tell(error: BaseException) -> None:
    """End the command with what went wrong.

    Raises:
        typer.Exit: Always.
    """
    if isinstance(error, RecontactError):
        unreadable = error.code is ErrorCode.SNAPSHOT_UNREADABLE
        stop(f"{error.code.value}: {error.message}", cure=KEY_CURE if unreadable else error.next_step)
    said = "its directory" if isinstance(error, OSError) else str(error)
    stop(f"The ledger cannot be used: {said}.", cure=LOOK_CURE)
