"""Let a person send a file to the server, for an upload or a replacement that comes after it."""

import secrets
import shlex
from datetime import timedelta
from typing import Annotated

from pydantic import Field

from recontact_tools.errors import ErrorCode, NotAllowed, RateLimited, Unreachable
from recontact_tools.handles import iso
from recontact_tools.injected import AccountId, Injected, ProjectId, TargetGroupId
from recontact_tools.ledger import Ticket, TooManyTickets
from recontact_tools.ledger.ticket_interface import OPEN_TICKETS_MAX
from recontact_tools.locating import locate
from recontact_tools.policy import check_write
from recontact_tools.results import UploadTicket
from recontact_tools.runtime import Runtime, Staging
from recontact_tools.staged import hash_of

_TICKET_BYTES = 16  # ours: of use to its own principal only, and short enough for a model to repeat
_URL_BYTES = 32  # ours: whoever knows it may send the file, so nobody may guess it
_NAME_MAX = 255  # ours: what file systems take
DEFAULT_NAME = "recontacts.csv"

FileName = Annotated[str | None, Field(description="For the curl line.")]


async def stage_upload(
    runtime: Injected,
    target_group_id: TargetGroupId,
    file_name: FileName = None,
    project_id: ProjectId = None,
    account_id: AccountId = None,
) -> UploadTicket:
    """Let the user upload a file: get a ticket to pass on. Sends nothing.

    Show the user page_url or curl. Once they have uploaded the file, call preview_upload with the ticket, then
    upload_recontacts or replace_recontacts. TICKET_EMPTY means not yet.
    """
    group = await locate(runtime, target_group_id, project_id, account_id)
    check_write(runtime.rules.policy, group)
    staging = _staging(runtime)
    now = runtime.clock.now()
    ticket = Ticket(
        ticket_id=runtime.new_id(),
        principal=runtime.principal,
        group=group,
        bytes_max=staging.bytes_max,
        created_at=now,
        expires_at=now + timedelta(seconds=staging.seconds),
    )
    handle, secret = secrets.token_urlsafe(_TICKET_BYTES), secrets.token_urlsafe(_URL_BYTES)
    try:
        await runtime.ledger.tickets.issue(ticket, handle_hash=hash_of(handle), url_hash=hash_of(secret))
    except TooManyTickets:
        raise _too_many() from None
    return _answer(ticket, staging, handle, secret, _shown(file_name or ""))


def _staging(runtime: Runtime) -> Staging:
    staging = runtime.rules.staging
    if staging is None:
        raise NotAllowed(
            "This server reads files from its own machine, so none can be uploaded to it.",
            next_step="Pass the file's `path` to preview_upload or upload_recontacts.",
        )
    if staging.origin is None:
        raise Unreachable(
            "This server does not know the address under which browsers reach it, so no file can be uploaded to it.",
            code=ErrorCode.UNAVAILABLE,
            next_step="Tell the user. Only the operator of this server can set RECONTACT_PUBLIC_URL.",
            safe_to_repeat=False,
            details={"setting": "RECONTACT_PUBLIC_URL"},
        )
    return staging


def _shown(name: str) -> str:
    """Return a name as curl reads it from a shell; what is no name of a file in a folder becomes one."""
    last = name.replace("\\", "/").rpartition("/")[2].strip()
    if not last.strip(".") or not last.isprintable() or len(last) > _NAME_MAX:
        last = DEFAULT_NAME
    return shlex.quote(f"./{last}" if last.startswith("-") else last)


def _too_many() -> RateLimited:
    return RateLimited(
        f"You have {OPEN_TICKETS_MAX} tickets that were not used; no other was made.",
        next_step="Use one of them, or wait some minutes until they expire.",
    )


def _answer(ticket: Ticket, staging: Staging, handle: str, secret: str, name: str) -> UploadTicket:
    url = f"{staging.origin}/staged"
    until = f"{ticket.expires_at:%H:%M} UTC"
    return UploadTicket(
        ticket=handle,
        upload_url=f"{url}/{secret}",
        # Behind the #: a browser sends it to nobody by itself, so it stands in no log and no referrer.
        page_url=f"{url}#{secret}",
        curl=f"curl -gT {name} {shlex.quote(f'{url}/{secret}')}",
        expires_at=iso(ticket.expires_at) or "",
        max_bytes=ticket.bytes_max,
        next_step=f"Show the user page_url, or curl for a terminal, and ask them to upload the file there by {until}. "
        "When they say that it is done, call preview_upload with this ticket.",
    )
