"""The doctor's look at the PostgreSQL that the settings name."""

# Imports stand inside the functions that need them: who keeps files pays for no second driver.
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from anyio import to_thread

from recontact_mcp.cli.findings import Finding
from recontact_mcp.cli.reaching import is_reachable

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings
    from recontact_tools.ledger.database import Connection
    from recontact_tools.sealing import Seal

NAME = "PostgreSQL"
CURE = (
    "Check RECONTACT_DATABASE_URL: the database and the user must be there, with this password, the user may make"
    " schemas, and what stands after ? must be words that PostgreSQL knows. "
    "PostgreSQL 13 or later, reached directly or through a pooler that keeps sessions."
)


KEY = "Key of the snapshots"
SAME_CURE = "Set RECONTACT_SNAPSHOT_KEY to the value that the other servers have."
KEY_CURE = "Set RECONTACT_SNAPSHOT_KEY to the same value for every server (openssl rand -base64 32), and keep a copy."


async def database(settings: "Settings") -> tuple[Finding, ...]:
    """Look whether the database answers and holds what this version can use; nothing is made for it."""
    if settings.database_url is None:
        return ()
    found = await to_thread.run_sync(_look, settings)
    return (await _closer(settings.database_url.get_secret_value()) or found if found.state == "fail" else found,)


async def _closer(url: str) -> Finding | None:
    """Say what is wrong where that is the address: the database's own word for it may hold a name or a host."""
    parts = urlsplit(url)
    host, port = parts.hostname, parts.port or 5432  # source: PostgreSQL, the default port
    if host is None or await is_reachable(host, port):
        return None
    cure = "Start it, or correct host and port in RECONTACT_DATABASE_URL; look at what a firewall lets through."
    return Finding(NAME, "fail", f"nobody can be reached at {host}, port {port}", cure)


async def shared_key(settings: "Settings") -> tuple[Finding, ...]:
    """Look whether what this server seals the others on the database can open; nothing is made for it."""
    return () if settings.database_url is None else await to_thread.run_sync(_look_at_key, settings)


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


def _look_at_key(settings: "Settings") -> tuple[Finding, ...]:
    from recontact_mcp.decided import held_seal_of
    from recontact_mcp.storage import reading
    from recontact_tools.ledger.faults import LedgerFault, NoLedger

    try:
        with reading(settings) as connection:
            return (_key(settings, _is_another(connection, held_seal_of(settings))),)
    except NoLedger:
        return (_key(settings, None),)
    except LedgerFault:  # said by the look at the database
        return ()


def _is_another(connection: "Connection", seal: "Seal") -> bool | None:
    from recontact_tools.sealing import KeyUnusable
    from recontact_tools.shared_key import has_another_key

    try:
        return has_another_key(connection, seal)
    except (KeyUnusable, OSError):
        return True


def _key(settings: "Settings", is_another: bool | None) -> Finding:  # noqa: FBT001 (three states)
    """Say whether what this server seals others can open; *is_another* is None where no server was there yet."""
    if is_another:
        return Finding(KEY, "fail", "the servers on this database have another one, or this one has none", SAME_CURE)
    if is_another is None and settings.snapshot_key is None:
        return Finding(KEY, "warn", "not set: a second server would make another one, and be refused", KEY_CURE)
    return Finding(KEY, "ok", "as every server on this database needs it")
