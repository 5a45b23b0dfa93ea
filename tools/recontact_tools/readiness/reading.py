"""Read all facts of a target group at once, within the time of one call."""

from contextlib import suppress
from typing import Final

import anyio

from recontact_tools.errors import ErrorCode, NotFound, RecontactError, Unreachable
from recontact_tools.job_reads import read_started
from recontact_tools.ledger import Intent, IntentState
from recontact_tools.models import TargetGroup
from recontact_tools.readiness.facts import Facts, NotRead, Read, Running, State
from recontact_tools.readiness.identifier_reads import IdentifierReads
from recontact_tools.readiness.neighbour_reads import NeighbourReads
from recontact_tools.readiness.settings_reads import SettingsReads
from recontact_tools.runtime import Runtime

READ_SECONDS: Final = 40.0  # ours: hosts give a call up after about 60 s


async def read_facts(runtime: Runtime, group: TargetGroup, *, seconds: float = READ_SECONDS) -> Facts:
    """Return what can be read of *group* in *seconds*; each read that fails, or is cut off, is a fact that says so.

    Raises:
        NotFound: Neither the target group nor its recontacts are there.
        RecontactError: Nothing at all could be read, and this is why.
    """
    intent = await runtime.ledger.active(group)
    settings = SettingsReads(runtime, group)
    identifiers, neighbours = IdentifierReads(runtime, group), NeighbourReads(runtime, group)
    own = OwnJob(runtime, intent)
    with anyio.move_on_after(seconds):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(settings.run)
            tasks.start_soon(identifiers.run)
            tasks.start_soon(neighbours.run)
            tasks.start_soon(own.look)
    _require_something(settings.causes, identifiers.stored.read, state=settings.state)
    return Facts(
        group_id=group.target_group_id,
        project_id=group.project_id,
        state=settings.state,
        described=settings.described.read,
        overview=settings.overview,
        dates=settings.dates,
        profiles=settings.profiles.read,
        allocations=settings.allocations.read,
        template=settings.template.read,
        study_types=settings.study_types,
        stored=identifiers.stored.read,
        running=own.running,
        listed=identifiers.listed.read,
        project_exclusion=settings.project_exclusion.read,
        project_groups=neighbours.project_groups.read,
        activity=settings.activity.read,
        excluded=identifiers.excluded.read,
        overlap=identifiers.overlap,
        exclusion_groups=neighbours.exclusion_groups.read,
        re_entry=settings.re_entry,
        price=settings.price,
    )


class OwnJob:
    """Hold the job that was started here and has not ended, as far as anybody knows."""

    def __init__(self, runtime: Runtime, intent: Intent | None) -> None:
        self._runtime = runtime
        self._intent = intent
        self.running = None if intent is None else Running(intent.kind, intent.job_id or intent.intent_id)

    async def look(self) -> None:
        """Look at a job that the follower may not have looked at for a while; what cannot be seen runs."""
        if self._intent is None or self._intent.state is not IntentState.STARTED:
            return
        runtime = self._runtime
        with suppress(RecontactError):
            job = await read_started(runtime.gateway, runtime.ledger, self._intent, now=runtime.clock.now())
            if job.is_finished:
                self.running = None


def _require_something(causes: tuple[RecontactError, ...], stored: Read[int], *, state: State) -> None:
    """Go on where at least the settings or the stored IDs were seen.

    A 404 tells that the target group is not there only if every read of it says so.
    """
    if state is not State.UNKNOWN or not isinstance(stored, NotRead):
        return
    errors = [*causes, *([stored.error] if stored.error else [])]
    raise next((error for error in errors if not isinstance(error, NotFound)), None) or next(iter(errors), _too_slow())


def _too_slow() -> Unreachable:
    return Unreachable(
        "The API answered nothing about the target group in the time of one call; nothing was changed.",
        code=ErrorCode.UNAVAILABLE,
        next_step="Try again in a few minutes.",
    )
