"""The settings of a target group: in one read of a draft, in several of a launched one."""

from functools import partial

import anyio

from recontact_tools.errors import RecontactError
from recontact_tools.models import TargetGroup
from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import NotRead, Read, Seen, State, shown
from recontact_tools.readiness.launch import RECONTACT
from recontact_tools.readiness.slots import Slot
from recontact_tools.runtime import Runtime
from recontact_tools.target_group_facts import ActivityExclusion, Allocations, Dates, Described, Draft, Overview

NO_RUN = "there is no fielding run"
NO_UNIT = "the settings show no business unit or locale to read the template for"


class SettingsReads:
    """Find out whether a target group was launched, and read its settings where they are shown then."""

    def __init__(self, runtime: Runtime, group: TargetGroup) -> None:
        self._reads = runtime.gateway.target_groups
        self._template_id = runtime.rules.template_id
        self._group = group
        self._draft: Slot[Draft | None] = Slot(endpoints.DRAFT)
        self._overview: Slot[Overview] = Slot(endpoints.OVERVIEW)
        self._dates: Slot[Dates | None] = Slot(endpoints.FIELDING_RUNS)
        self._study_types: Slot[frozenset[str]] = Slot(endpoints.STUDY_TYPES)
        self.described: Slot[Described] = Slot(endpoints.DETAILS)
        self.profiles: Slot[tuple[str, ...]] = Slot(endpoints.PROFILES)
        self.allocations: Slot[Allocations] = Slot(endpoints.ALLOCATIONS)
        self.project_exclusion: Slot[bool] = Slot(endpoints.EXCLUSION_POLICY)
        self.activity: Slot[tuple[ActivityExclusion, ...]] = Slot(endpoints.ACTIVITY)
        self.template: Slot[Allocations] = Slot(endpoints.TEMPLATE)

    async def run(self) -> None:
        """Read everything; what is left unread when this is cut off says that it took too long."""
        await self._draft.fill(partial(self._reads.draft, self._group))
        if self._draft.value is not None:
            self._spread(self._draft.value)
            await self._read_beyond()
            return
        # Whatever the first read said: where an account does not show drafts, the others may answer all the same.
        await self.described.fill(partial(self._reads.details, self._group))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._overview.fill, partial(self._reads.overview, self._group))
            tasks.start_soon(self._dates.fill, partial(self._reads.fielding_dates, self._group))
            tasks.start_soon(self.profiles.fill, partial(self._reads.profiles, self._group))
            tasks.start_soon(self.project_exclusion.fill, partial(self._reads.project_exclusion, self._group))
            tasks.start_soon(self.activity.fill, partial(self._reads.activity_exclusions, self._group))
            await self.allocations.fill(partial(self._reads.allocations, self._group))
            await self._read_beyond()

    @property
    def state(self) -> State:
        """Return whether the target group was launched, as far as was seen."""
        if self._draft.value is not None:
            return State.DRAFT
        answers = (self._draft.read, self.described.read, self._overview.read)
        return State.LAUNCHED if any(isinstance(answer, Seen) for answer in answers) else State.UNKNOWN

    @property
    def causes(self) -> tuple[RecontactError, ...]:
        """Return why the state could not be seen."""
        answers = (self._draft.read, self.described.read)
        return tuple(answer.error for answer in answers if isinstance(answer, NotRead) and answer.error)

    @property
    def overview(self) -> Read[Overview] | None:
        """Return how a launched target group stands; None for a draft."""
        return None if self._draft.value is not None else self._overview.read

    @property
    def dates(self) -> Read[Dates]:
        """Return the dates of the draft, or of the fielding run."""
        read = self._dates.read
        if isinstance(read, NotRead):
            return read
        return NotRead(read.where, NO_RUN) if read.value is None else Seen(read.value, read.where)

    @property
    def study_types(self) -> Read[frozenset[str]] | None:
        """Return the study types that there are, if one that is wrong made somebody ask."""
        return self._study_types.read if self._is_other_study else None

    @property
    def re_entry(self) -> bool:
        """Return whether re-entry is configured, which only drafts show."""
        return self._draft.value is not None and self._draft.value.re_entry

    @property
    def price(self) -> str | None:
        """Return the price of an interview, with its currency."""
        if self._draft.value is not None:
            return self._draft.value.price
        return self._overview.value.price if self._overview.value else None

    @property
    def _is_other_study(self) -> bool:
        code = self.described.value.study_type if self.described.value else None
        return code is not None and code.casefold() != RECONTACT

    def _spread(self, draft: Draft) -> None:
        """Put what the one read of a draft shows where a launched target group's reads put it."""
        where = endpoints.DRAFT
        self.described.read = Seen(draft.described, where)
        self._dates.read = Seen(draft.dates, f"fielding_specification of {where}")
        self.profiles.read = Seen(draft.profiles, f"profiling of {where}")
        self.allocations.read = shown(draft.allocations, f"allocations of {where}")
        self.project_exclusion.read = shown(draft.project_exclusion, f"exclusion.enabled of {where}")
        self.activity.read = shown(draft.activity, f"respondent_activity_exclusions of {where}")

    async def _read_beyond(self) -> None:
        """Read what only some answers give reason to: other study types, and the template to compare with."""
        if self._is_other_study:
            await self._study_types.fill(self._reads.study_types)
        allocations, described = self.allocations.value, self.described.value
        if allocations is None or allocations.template_id is not None:
            return
        if described is None or not described.business_unit_id or not described.locale:
            self.template.read = NotRead(endpoints.TEMPLATE, NO_UNIT)
            return
        unit, locale = described.business_unit_id, described.locale
        account = self._group.account_id
        await self.template.fill(partial(self._reads.template, account, unit, self._template_id, locale=locale))
