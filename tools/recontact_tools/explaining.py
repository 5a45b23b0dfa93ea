"""Why the API knows nothing of a target group or a job, or does not permit it: one more look after such an answer."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio

from recontact_tools.errors import NotFound, NotPermitted, RecontactError
from recontact_tools.guardrails import Pasted
from recontact_tools.locating import found_by_id, in_another_place, located_before, place_told
from recontact_tools.models import JobKind, TargetGroup
from recontact_tools.policy import may_read

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from recontact_tools.gateway import Gateway
    from recontact_tools.policy import Policy
    from recontact_tools.runtime import Runtime

# ours: on top of the longest call of 57 s, and hosts give a call up after about 60 s.
EXPLAIN_SECONDS = 3.0

_JOBS_SHOWN_BY = {
    JobKind.UPLOAD: "list_upload_jobs shows a target group's upload jobs.",
    JobKind.REMOVAL: "Removal jobs are not listed: use the job_id that remove_all_recontacts answered.",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a failed call or read was about, as the client wrote it; *target_group_id* may be a pasted text."""

    target_group_id: str
    project_id: str | None = None
    account_id: int | None = None
    job_id: str | None = None
    kind: JobKind = JobKind.UPLOAD


async def explained(
    runtime: Runtime, error: RecontactError, subject: Subject, *, seconds: float = EXPLAIN_SECONDS
) -> RecontactError:
    """Return *error*, or one of its class that says more; whatever goes wrong here, it is *error* as it was.

    Only an answer of the API is explained. A target group that is elsewhere is only told of, never used. One request
    is sent after a 404 (for a job at most two, and none if the ledger knows where it belongs), none after a refused
    permission. What the allow-lists hide looks as if it were not there.
    """
    if not isinstance(error, NotFound | NotPermitted) or "http_status" not in error.details:
        return error
    with suppress(RecontactError), anyio.move_on_after(seconds):
        group = await located_before(runtime, subject.target_group_id, subject.project_id, subject.account_id)
        if group is not None:
            better = await _better(runtime, error, group, subject)
            better.details = {**error.details, **better.details}
            return better
    return error


async def _better(runtime: Runtime, error: RecontactError, group: TargetGroup, subject: Subject) -> RecontactError:
    if isinstance(error, NotPermitted):
        return _not_permitted(error, group, configured=runtime.rules.account_id)
    job_error = await _job_not_found(runtime, group, subject)
    return job_error or await _group_not_found(runtime, group)


async def _job_not_found(runtime: Runtime, group: TargetGroup, subject: Subject) -> NotFound | None:
    """Say that it is the job which is not there; None if it is not, or the target group does not answer either."""
    if subject.job_id is None:
        return None
    intent = await runtime.ledger.find_job(subject.kind, subject.job_id, None)
    if intent is not None and _is_another(intent.group, group) and may_read(runtime.rules.policy, intent.group):
        return _job_of_another(intent.group, subject.kind)
    try:
        await runtime.gateway.get_overview(group)
    except NotFound:
        return None
    return NotFound(
        f"The target group has no such {subject.kind.value} job.",
        next_step="Check the job_id: a job belongs to the target group it was started on. "
        + _JOBS_SHOWN_BY[subject.kind],
    )


async def _group_not_found(runtime: Runtime, group: TargetGroup) -> NotFound:
    runtime.places.forget(group.target_group_id)
    return await why_not_found(runtime.gateway, runtime.rules.policy, group, recorded=runtime.ledger.places)


async def why_not_found(
    gateway: Gateway, policy: Policy, group: TargetGroup, *, recorded: Callable[[str], Awaitable[Sequence[TargetGroup]]]
) -> NotFound:
    """Say why the API knows no recontacts of *group*, after one look by its id alone.

    *recorded* returns the places where jobs of a target group were accepted. One that the *policy* hides is not told.
    The details hold the place where it is, or `looked_in` where nobody knows; neither, if it is there.

    Raises:
        RecontactError: The API did not answer the look.
    """
    found = await found_by_id(gateway, group.target_group_id)
    if found == group:
        return NotFound(
            "The target group is there, but the API knows no recontacts for it.",
            next_step="Check its study type: it must be recontact, and it cannot be changed after the launch.",
        )
    # A draft is not found by its id, but jobs of it may have been started here.
    places = [found] if found else await recorded(group.target_group_id)
    for place in places:
        if place != group and may_read(policy, place):
            return in_another_place(place, Pasted(group.target_group_id, group.project_id, group.account_id))
    return NotFound(
        "The API knows no such target group in this project.",
        next_step="A target group that is not launched is found only under its own project_id and account_id: ask the"
        " user for them, or for its Cint URL, and repeat the call with it.",
        details={"looked_in": place_told(group)},
    )


def _is_another(one: TargetGroup, other: TargetGroup) -> bool:
    return one.target_group_id != other.target_group_id


def _job_of_another(group: TargetGroup, kind: JobKind) -> NotFound:
    return NotFound(
        f"This {kind.value} job belongs to another target group.",
        next_step="Repeat the call with this target_group_id, project_id and account_id.",
        details={"target_group_id": group.target_group_id, **place_told(group)},
    )


def _not_permitted(error: NotPermitted, group: TargetGroup, *, configured: int | None) -> NotPermitted:
    whose = "the configured one (CINT_ACCOUNT_ID)" if group.account_id == configured else "named by the call"
    return NotPermitted(
        error.message,
        next_step=f"{error.next_step} The account was {group.account_id}, {whose}.",
        details={"account_id": group.account_id},
    )
