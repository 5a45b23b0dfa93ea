"""What `doctor` looks at; each look returns what it found and how to mend it."""

# Imports stand inside the functions that need them: settings that do not fit are reported at once.
# ruff: noqa: PLC0415

import platform
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from recontact_mcp.cli.findings import NOBODYS_TARGET_GROUP, Finding
from recontact_mcp.settings import EMBEDDED_ACCOUNT_ID, EMBEDDED_PROJECT_ID, unfamiliar
from recontact_tools.errors import NotFound, RecontactError
from recontact_tools.models import TargetGroup

if TYPE_CHECKING:
    from mcp_types import Tool

    from recontact_mcp.settings import Settings
    from recontact_tools.gateway import Gateway

# ours: longer than the retries of one read take.
LOOK_SECONDS = 60.0
# source: SQLite file format 1.3; a file without a byte is a database without a table.
SQLITE_MAGIC = b"SQLite format 3\0"
EMBEDDED = "Embedded service"


def data_directory(folder: Path) -> Finding:
    """Look whether the data directory exists, or can be made, and can be written."""
    name = "Data directory"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError:
        return Finding(name, "fail", f"{folder} cannot be written", "Set RECONTACT_DATA_DIR to a directory of yours.")
    return Finding(name, "ok", f"{folder} can be written")


def strange_variables() -> tuple[Finding, ...]:
    """Name variables that look like Cint's settings and are not read; another program may want them."""
    return tuple(
        Finding("Environment", "warn", said, "Correct its name, or leave it if it belongs to another program.")
        for said in unfamiliar()
    )


def databases(folder: Path) -> tuple[Finding, ...]:
    """Look whether the databases in the data directory are databases; none there yet is fine."""
    return tuple(
        Finding("Database", "fail", f"{path} is damaged", "Stop every server, move this file away, and start again.")
        for path in sorted(folder.glob("*.sqlite"))
        if not _is_database(path)
    )


def _is_database(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(SQLITE_MAGIC)) in {b"", SQLITE_MAGIC}
    except OSError:
        return False


def upload_roots(settings: "Settings") -> tuple[Finding, ...]:
    """Look whether files can be uploaded by path, and whether every root is there; over HTTP none is read."""
    name, roots = "Upload root", settings.upload_roots
    if not roots and settings.auth_issuer is not None:
        return (Finding(name, "ok", "none: people send their files over HTTP"),)
    if not roots:
        return (
            Finding(
                name,
                "warn",
                "none: only short lists of ids can be uploaded",
                "Set RECONTACT_UPLOAD_ROOTS to the directories with your identifier files.",
            ),
        )
    return tuple(
        Finding(name, "ok", f"{root}")
        if root.is_dir()
        else Finding(name, "fail", f"{root} is not a directory", "Create it, or change RECONTACT_UPLOAD_ROOTS.")
        for root in roots
    )


async def changes(settings: "Settings", *, usable: bool) -> Finding:
    """Look whether jobs can be started: the durable engine is really started, in a folder of its own beside the data.

    Where the data directory is not *usable*, it is not tried.
    """
    name = "Changes"
    if settings.read_only:
        return Finding(name, "ok", "read-only: none")
    if not usable:
        return Finding(name, "skip", "not looked at: where data are kept comes first")
    try:
        await to_thread.run_sync(_rehearse, settings.data_dir)
    except Exception as error:  # noqa: BLE001 (whatever it is, uploads would fail with it too)
        seen = f"the durable engine does not start: {type(error).__name__}"
        cure = f"Nothing can be uploaded or removed until it does. Report this with the versions: {_versions()}."
        return Finding(name, "fail", seen, cure)
    return Finding(name, "ok", "uploads and removals: the durable engine starts")


def _rehearse(folder: Path) -> None:
    from recontact_tools import launching

    with tempfile.TemporaryDirectory(prefix=".doctor-", dir=folder) as own:
        launching.rehearse(Path(own) / "engine.sqlite")


def _versions() -> str:
    from recontact_tools.old_sqlite import VERSION

    return f"Python {platform.python_version()}, SQLite {VERSION}"


def permissions(settings: "Settings") -> tuple[Finding, ...]:
    """Say where the operator's policy lets nothing through."""
    lists = {
        "accounts": settings.allowed_accounts,
        "projects": settings.allowed_projects,
        "target groups": settings.allowed_target_groups,
    }
    findings: list[Finding] = []
    for what, allowed in lists.items():
        if allowed is not None and not allowed:
            cure = f"Name some in RECONTACT_ALLOWED_{what.replace(' ', '_').upper()}, or unset it."
            findings.append(Finding("Allowed", "warn", f"no {what}: every call is refused", cure))
    return tuple(findings)


def defaults(settings: "Settings") -> Finding:
    """Say which account and project a call gets that names none."""
    name = "Default account and project"
    missing = [
        variable
        for variable, value in (("CINT_ACCOUNT_ID", settings.account_id), ("CINT_PROJECT_ID", settings.project_id))
        if value is None
    ]
    if missing:
        cure = "Set them, or paste a target group's URL, or name both in every call."
        return Finding(name, "warn", f"{' and '.join(missing)} not set", cure)
    return Finding(name, "ok", f"{settings.account_id}, {settings.project_id}")


async def embedded(settings: "Settings", *, seconds: float = LOOK_SECONDS) -> Finding:
    """Look whether the embedded service answers, gives a token, and accepts the version; nothing is changed."""
    from recontact_mcp.ways import gateway_for

    nobody = TargetGroup(EMBEDDED_ACCOUNT_ID, EMBEDDED_PROJECT_ID, NOBODYS_TARGET_GROUP)
    with anyio.move_on_after(seconds):
        async with gateway_for(settings) as gateway:
            refusal = await _refusal(gateway, nobody)
        if refusal is None:
            return Finding(EMBEDDED, "ok", f"answers, gave a token, accepts version {settings.cint_api_version}")
        return Finding(EMBEDDED, "fail", refusal.message, refusal.next_step)
    return Finding(EMBEDDED, "fail", f"no answer within {seconds:.0f} s", "Close other programs, and look again.")


async def _refusal(gateway: "Gateway", group: TargetGroup) -> RecontactError | None:
    """Return why a read was refused; that nobody knows the target group is the answer that was hoped for."""
    try:
        await gateway.get_overview(group)
    except NotFound:
        return None
    except RecontactError as error:
        return error
    return None


async def tools(settings: "Settings") -> "list[Tool]":
    """Return the tools that a client of this server sees."""
    from mcp import Client

    from recontact_mcp.app import build_server

    async with Client(build_server(settings)) as client:
        return (await client.list_tools()).tools
