"""The doctor's look at the PostgreSQL that the settings name."""

# Imports stand inside the functions that need them: who keeps files pays for no second driver.
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING

from anyio import to_thread

from recontact_mcp.cli.findings import Finding

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings

NAME = "PostgreSQL"
CURE = (
    "Check RECONTACT_DATABASE_URL: the host, the database and the user must be there, and the user may make schemas. "
    "PostgreSQL 13 or later, reached directly or through a pooler that keeps sessions."
)


async def database(settings: "Settings") -> tuple[Finding, ...]:
    """Look whether the database answers and holds what this version can use; nothing is made for it."""
    return () if settings.database_url is None else (await to_thread.run_sync(_look, settings),)


def _look(settings: "Settings") -> Finding:
    from recontact_mcp.storage import reading
    from recontact_tools.ledger.faults import LedgerFault, NoLedger

    try:
        with reading(settings):
            return Finding(NAME, "ok", f"answers, and holds a ledger in the schema {settings.namespace}")
    except NoLedger:
        return Finding(NAME, "ok", "answers; nothing was kept there yet")
    except LedgerFault as fault:
        return Finding(NAME, "fail", str(fault), CURE)
