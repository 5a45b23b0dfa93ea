"""The doctor's look at what only a server over HTTP needs; who sets none of it is told nothing of it."""

# Imports stand inside the functions that need them: who serves over stdio pays for no HTTP.
# ruff: noqa: PLC0415

from typing import TYPE_CHECKING

from recontact_mcp.cli.doctor_issuer import ISSUER, issuer_looks
from recontact_mcp.cli.findings import Finding
from recontact_mcp.settings import variable

if TYPE_CHECKING:
    from recontact_mcp.settings import Settings

APPROVALS = "Approval page"


async def remote(settings: "Settings") -> tuple[Finding, ...]:
    """Look at who may call over HTTP, and whether anybody could approve a removal; nobody's token is asked for."""
    frozen = _frozen(settings)
    if settings.auth_issuer is None:
        return (*_without_issuer(settings), *frozen)
    return (*await issuer_looks(settings, settings.auth_issuer), *_public_url(settings), *_approvals(settings), *frozen)


def _without_issuer(settings: "Settings") -> tuple[Finding, ...]:
    from recontact_mcp.remote.binding import cure, objection

    if (refusal := objection(settings, "127.0.0.1")) is not None:
        return (Finding("Public URL", "fail", f"{refusal} HTTP is not served at all.", cure(settings)),)
    idle = [name for name in sorted(settings.model_fields_set) if name.startswith(("auth_", "approval_client_id"))]
    if not idle:
        return ()
    seen = f"{', '.join(map(variable, idle))} without RECONTACT_AUTH_ISSUER: over HTTP no token is asked for"
    return (Finding(ISSUER, "warn", seen, "Set RECONTACT_AUTH_ISSUER, or unset the others."),)


def _public_url(settings: "Settings") -> tuple[Finding, ...]:
    if settings.public_url is not None:
        return ()
    seen = "unset: only this machine is served, and links and tokens are for the address that is listened on"
    return (Finding("Public URL", "warn", seen, "Set RECONTACT_PUBLIC_URL to the one https URL that people know."),)


def _approvals(settings: "Settings") -> tuple[Finding, ...]:
    """Look whether anybody could sign in, where removals need that: `human-oob` is what counts over HTTP."""
    if settings.approval_minimum == "client-elicited":
        return ()
    if settings.approval_client_id is not None:
        return (Finding(APPROVALS, "ok", f"people sign in as users of {settings.auth_issuer}"),)
    seen = "nobody can sign in: no removal over HTTP can be approved"
    cure = (
        "Register a client at the issuer, with the public URL and /approve/signed-in as its redirect URI, and set"
        " RECONTACT_APPROVAL_CLIENT_ID and its secret."
    )
    return (Finding(APPROVALS, "warn", seen, cure),)


def _frozen(settings: "Settings") -> tuple[Finding, ...]:
    if settings.freeze_file is None or not settings.freeze_file.exists():
        return ()
    seen = f"{settings.freeze_file} is there: changes are refused, of everybody or of whom it names"
    return (Finding("Freeze file", "warn", seen, "Delete it once changes may go on."),)
