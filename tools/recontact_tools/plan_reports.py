"""How a plan stands that a person is asked about outside the client, told by the job tools and the plan's resource."""

from recontact_tools.approving import ASK_WITH, TOOL
from recontact_tools.handles import HandleFields, iso
from recontact_tools.injected import Progress
from recontact_tools.ledger import Approval, Plan, Standing
from recontact_tools.looking import paused
from recontact_tools.models import TargetGroup
from recontact_tools.policy import check_read
from recontact_tools.results import EtaSeconds, PlanReport, RemovalJobReport, UploadJobReport
from recontact_tools.runtime import Runtime
from recontact_tools.uris import plan_uri

# ours: a person needs half a minute at least, and asking costs next to nothing; waiting is better.
POLL_SECONDS = 5
_MAY_CHANGE = frozenset({Standing.AWAITING, Standing.APPROVED})
_ENDS = {
    Standing.DENIED: "A person denied it; nothing was removed. Tell the user, and ask again only if they want it.",
    Standing.EXPIRED: "Nobody agreed in time; nothing was removed. If the user still wants it, call {tool} again.",
    Standing.CLOSED: "It was replaced by a newer question or could not be used any more; this one removed nothing. "
    "If the user still wants it, call {tool} again.",
    Standing.USED: "It was approved and used; its job does not show yet. Call {getter} with this job_id again.",
}


async def plan_seen(
    runtime: Runtime, progress: Progress, group: TargetGroup, plan_id: str, *, seconds: int
) -> Approval | None:
    """Return what is asked under a plan's id once it was decided or *seconds* have passed; None if it is none of ours.

    Raises:
        NotAllowed: The policy does not let this target group be looked at.
    """
    check_read(runtime.rules.policy, group)
    current, waited = await _of(runtime, group, plan_id), 0.0
    while _is_awaited(runtime, current) and waited < seconds:
        await progress(waited, float(seconds), "a person is asked")
        waited = await paused(runtime, waited, seconds=seconds)
        current = await _of(runtime, group, plan_id)
    return current


def _is_awaited(runtime: Runtime, approval: Approval | None) -> bool:
    return approval is not None and approval.standing(runtime.clock.now()) is Standing.AWAITING


async def _of(runtime: Runtime, group: TargetGroup, plan_id: str) -> Approval | None:
    """Read a plan of this principal and target group; somebody else's is as unknown as one that never was."""
    found = await runtime.ledger.approvals.of_plan(plan_id)
    if found is None or found.plan.principal != runtime.principal or found.plan.group != group:
        return None
    return found


def _handle(runtime: Runtime, approval: Approval) -> HandleFields:
    plan, standing = approval.plan, approval.standing(runtime.clock.now())
    return HandleFields(
        job_id=plan.plan_id,
        kind=plan.purpose.value,
        status=standing.value,
        target_group_id=plan.group.target_group_id,
        resource_uri=plan_uri(plan.group, plan.plan_id),
        poll_after_seconds=POLL_SECONDS if standing in _MAY_CHANGE else 0,
        eta_seconds=EtaSeconds(low=0, high=0),
        next_step=_next_step(plan, standing),
    )


def _next_step(plan: Plan, standing: Standing) -> str:
    tool, getter = TOOL[plan.purpose], ASK_WITH[plan.purpose]
    if standing is Standing.AWAITING:
        return f"Nobody has decided yet; nothing is removed. Call {getter} with this job_id and wait_seconds=45."
    if standing is Standing.APPROVED:
        return f"A person agreed; nothing is removed yet. Call {tool} again with the same arguments before it expires."
    return _ENDS[standing].format(tool=tool, getter=getter)


def plan_report(runtime: Runtime, approval: Approval) -> PlanReport:
    """Describe a plan as its resource shows it."""
    plan = approval.plan
    return PlanReport(
        **_handle(runtime, approval),
        ids_to_remove=plan.count,
        new_ids=plan.new_ids,
        created_at=iso(plan.created_at) or "",
        expires_at=iso(plan.expires_at) or "",
        decided_at=iso(approval.decided_at),
        used_for=approval.work_id,
    )


def plan_as_removal(runtime: Runtime, approval: Approval) -> RemovalJobReport:
    """Describe a plan in the shape of the job that it may become."""
    return RemovalJobReport(
        **_handle(runtime, approval),
        ids_done=None,
        ids_total=None,
        created_at=iso(approval.plan.created_at),
        completed_at=None,
        failure_reason=None,
        ids_to_remove=approval.plan.count,
        snapshot=None,
    )


def plan_as_upload(runtime: Runtime, approval: Approval) -> UploadJobReport:
    """Describe the plan of a replacement in the shape of the job that it may become."""
    return UploadJobReport(
        **_handle(runtime, approval),
        created_at=iso(approval.plan.created_at),
        completed_at=None,
        failure_reason=None,
        partial_success_reason=None,
        file_name=None,
        ids_sent=None,
        ids_done=None,
        ids_total=None,
        stored_before=approval.plan.count,
        stored_after=None,
        growth=None,
        api_stored=None,
        api_failed=None,
        explanation=None,
        not_stored=None,
        not_compared_because=None,
        missing_uri=None,
        proof=None,
        differences_uri=None,
        replacement=None,
    )
