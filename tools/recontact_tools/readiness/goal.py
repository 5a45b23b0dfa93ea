"""Who can take part at all: the stored IDs, the completes goal they have to cover, and the job that changes them."""

from recontact_tools.models import ListedJob
from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import NOT_SHOWN, Facts, NotRead, Seen, State
from recontact_tools.readiness.findings import Finding, Severity, set_with, some, unverified

_CEILING = "That is a ceiling, not a forecast: not everybody comes back"
_STORED = f"saved_respondent_ids_count of {endpoints.STORED}"


def check_stored_ids(facts: Facts) -> list[Finding]:
    """Judge whether anybody is stored who could enter."""
    if isinstance(facts.stored, NotRead):
        return [unverified("stored_ids", facts.stored, essential=True)]
    if facts.stored.value:
        return []
    seen = "No respondent IDs are stored: nobody can enter, and Cint refuses a launch."
    mend = "Upload IDs with upload_recontacts and follow the job to its end."
    return [Finding("stored_ids", Severity.BLOCKS, seen, _STORED, mend)]


def check_completes_goal(facts: Facts) -> list[Finding]:
    """Compare the goal with the stored IDs, which are the most that can ever be reached."""
    where = f"completes_goal of {facts.settings_endpoint}"
    if facts.goal is None:
        why = facts.described.why if isinstance(facts.described, NotRead) else NOT_SHOWN
        return [unverified("completes_goal", NotRead(where, why), essential=True)]
    if (reached := _reached(facts)) is not None:
        return [reached]
    if isinstance(facts.stored, NotRead):
        return [unverified("completes_goal", facts.stored, essential=True)]
    return [_against(facts, facts.goal, facts.stored.value, f"{where}; {_STORED}")]


def _against(facts: Facts, goal: int, stored: int, where: str) -> Finding:
    mend = f"Upload more IDs, or lower the goal. {_set_goal(facts)}"
    if goal > stored:
        seen = f"The goal is {goal}, but only {stored} IDs are stored."
        return Finding("completes_goal", Severity.BLOCKS, seen, where, mend)
    seen = f"The goal is {goal} {_unit(facts)} of {stored} stored IDs. {_CEILING}."
    if goal == stored:
        seen = f"The goal is {goal} {_unit(facts)}, as many as IDs are stored, so every one would have to take part."
        return Finding("completes_goal", Severity.RISK, f"{seen} {_CEILING}.", where, mend)
    return Finding("completes_goal", Severity.INFO, seen, where, "Nothing, if that share is likely to come back.")


def _reached(facts: Facts) -> Finding | None:
    if not isinstance(facts.overview, Seen):
        return None
    overview = facts.overview.value
    so_far = overview.prescreens if _counts_prescreens(facts) else overview.completes
    if overview.goal is None or so_far is None or so_far < overview.goal:
        return None
    seen = f"The goal of {overview.goal} {_unit(facts)} is reached: nobody else is let in."
    mend = f"Raise the goal, if more are wanted. {_set_goal(facts)}"
    return Finding("completes_goal", Severity.BLOCKS, seen, f"progress of {facts.overview.where}", mend)


def _counts_prescreens(facts: Facts) -> bool:
    # source: cint-api.md section 3.2: with this strategy the goal counts prescreens
    overview = facts.overview.value if isinstance(facts.overview, Seen) else None
    return overview is not None and (overview.strategy or "").casefold() == "prescreens"


def _unit(facts: Facts) -> str:
    return "prescreens (not completes: see filling_strategy)" if _counts_prescreens(facts) else "completes"


def _set_goal(facts: Facts) -> str:
    if facts.state is State.DRAFT:
        return set_with(facts, "completes_goal")
    return "Set it with PUT .../target-groups/{id}/profiles/completes-goal (which recalculates quotas)."


def check_running_job(facts: Facts) -> list[Finding]:
    """Judge whether a job is changing the stored IDs right now."""
    if facts.running is not None:
        kind, job_id = facts.running.kind.value, facts.running.job_id
        return [_runs(f"A job ({kind}) that was started here runs.", endpoints.HERE, f"get_{kind}_job, {job_id}")]
    if isinstance(facts.listed, NotRead):
        mend = "None that was started here runs. Ask whoever else uploads to or empties this target group."
        return [unverified("running_job", facts.listed, mend=mend)]
    return _from_list(facts.listed.value, facts.listed.where)


def _from_list(jobs: tuple[ListedJob, ...], where: str) -> list[Finding]:
    running = [job.job_id for job in jobs if job.status.casefold() == "processing"]
    if running:
        return [_runs("An upload job runs.", where, f"get_upload_job, {running[0]}")]
    known = {"completed", "success", "failed"}
    odd = sorted({job.status or "none" for job in jobs if job.status.casefold() not in known})
    if not odd:
        return []
    seen = f"Upload jobs have a status that is not documented, and may be running: {some(odd)}."
    return [Finding("running_job", Severity.RISK, seen, where, "Look at them with list_upload_jobs.")]


def _runs(seen: str, where: str, job: str) -> Finding:
    mend = f"Wait for its end ({job}), then check again: what is stored is changing."
    return Finding("running_job", Severity.BLOCKS, seen, where, mend)
