"""Asking a person outside the client: the plan that awaits them, and what the caller is told meanwhile."""

import secrets
from dataclasses import dataclass

from recontact_tools.capping import check_left_today
from recontact_tools.errors import Detail, ErrorCode, NotAllowed
from recontact_tools.guardrails import CODE_ALPHABET, CODE_LENGTH, code_shown
from recontact_tools.handles import iso
from recontact_tools.ledger import Approval, PlanPurpose, Standing
from recontact_tools.ledger.usage import a_plan
from recontact_tools.models import TargetGroup
from recontact_tools.plans import NewList, asked_for, keep_staged, made_plan
from recontact_tools.policy import check_write
from recontact_tools.runtime import Runtime
from recontact_tools.uris import plan_uri

TOOL = {PlanPurpose.REMOVAL: "remove_all_recontacts", PlanPurpose.REPLACEMENT: "replace_recontacts"}
# What lets people sign in to decide.
SIGN_IN_SETTINGS = ("RECONTACT_APPROVAL_CLIENT_ID", "RECONTACT_APPROVAL_CLIENT_SECRET_FILE")
ASK_WITH = {PlanPurpose.REMOVAL: "get_removal_job", PlanPurpose.REPLACEMENT: "get_upload_job"}


@dataclass(frozen=True, slots=True)
class Where:
    """Where a person decides: at *url*, or on this machine.

    *opened* is whether this machine shows its user the way in: the page itself, or with *url* a link to it.
    *two_person* is whether whoever asks may not decide, *closed* whether nobody can sign in there yet.
    """

    url: str | None = None
    opened: bool = False
    two_person: bool = False
    closed: bool = False


def new_code() -> str:
    """Return a fresh code."""
    return "".join(secrets.choice(CODE_ALPHABET) for _ in range(CODE_LENGTH))


async def approved_already(runtime: Runtime, group: TargetGroup, new: NewList | None) -> Approval | None:
    """Return the open plan of exactly this wish that a person has approved, if there is one.

    Raises:
        NotAllowed: It would be more than the day allows; what was approved stays so.
    """
    plan = await runtime.ledger.open_plan(runtime.principal, group, now=runtime.clock.now())
    if plan is None or plan.fingerprint != (new.fingerprint if new else None):
        return None
    approval = await runtime.ledger.approvals.of_plan(plan.plan_id)
    if approval is None or approval.standing(runtime.clock.now()) is not Standing.APPROVED:
        return None
    await check_left_today(runtime, a_plan(plan.new_ids))
    return approval


async def awaited_approval(runtime: Runtime, group: TargetGroup, new: NewList | None) -> Approval:
    """Write down that a person is asked about this wish; asking again while nothing has changed finds the same.

    Raises:
        InvalidInput: There is nothing to remove.
        JobRunning: A job runs on this target group.
        NotAllowed: Policy or a cap refuses.
    """
    check_write(runtime.rules.policy, group)
    plan = await made_plan(runtime, group, new, seconds=runtime.rules.approval.seconds)
    asked = await runtime.ledger.approvals.ask(plan, new_code())
    await keep_staged(runtime, asked.plan, new)
    return asked


def approval_required(approval: Approval, where: Where) -> NotAllowed:
    """Say that a person has to agree outside the client, where, and how the caller goes on."""
    plan, code = approval.plan, code_shown(approval.code)
    details: dict[str, Detail] = {
        "plan_id": plan.plan_id,
        "approval_code": code,
        "approve_url": where.url,
        "expires_at": iso(plan.expires_at),
        "resource_uri": plan_uri(plan.group, plan.plan_id),
        "what_they_see": f"{asked_for(plan)}: who asks, where, what it means, and a phrase to type.",
    }
    if where.closed:
        details |= {"setting": SIGN_IN_SETTINGS[0], "lifted_by": "whoever runs the server"}
    return NotAllowed(
        "A person has to agree to this outside the conversation first; nothing was removed.",
        code=ErrorCode.APPROVAL_REQUIRED,
        safe_to_repeat=True,
        next_step=f"{_tell(code, where)} Only a person may decide; do not do it for them. Then call "
        f"{ASK_WITH[plan.purpose]} with job_id={plan.plan_id} and wait_seconds=45; once it says Approved, call "
        f"{TOOL[plan.purpose]} again with the same arguments.",
        details=details,
    )


def _tell(code: str, where: Where) -> str:
    if where.closed:
        return (
            "Nobody can decide yet: tell the user that whoever runs this server has to register a client at the "
            f"issuer, and to set {' and '.join(SIGN_IN_SETTINGS)}. After that the code {code} is decided about on the "
            f"page {where.url}."
        )
    if where.two_person:
        page = where.url or "of the server over HTTP"
        return (
            f"Tell the user to give the code {code} and the page {page} to an approver, who signs in there and decides:"
            " whoever asks may not."
        )
    if where.url is not None and where.opened:
        return (
            f"Tell the user the code {code} and the page {where.url}: the terminal in which the server runs shows a "
            "link that lets them in."
        )
    if where.url is not None:
        return f"Tell the user the code {code} and the page {where.url}, where they sign in and decide."
    command = f"`recontact-mcp approve {code}` in a terminal of this machine"
    if where.opened:
        return f"Tell the user that a page was opened in their browser; {command} does the same."
    return f"Tell the user to run {command}."
