"""The neighbours: the other target groups of the project, and those in the same exclusion groups."""

from dataclasses import replace
from typing import Final

import anyio

from recontact_tools.errors import RecontactError
from recontact_tools.models import TargetGroup
from recontact_tools.policy import may_read
from recontact_tools.readiness import endpoints
from recontact_tools.readiness.facts import Members
from recontact_tools.readiness.slots import Slot
from recontact_tools.runtime import Runtime
from recontact_tools.target_group_facts import ExclusionGroup

GROUPS_OPENED: Final = 5  # ours: each costs a request, and one with others in it is enough to look


class NeighbourReads:
    """Read which other target groups may keep this one's respondents out."""

    def __init__(self, runtime: Runtime, group: TargetGroup) -> None:
        self._reads = runtime.gateway.target_groups
        self._policy = runtime.rules.policy
        self._group = group
        self.project_groups: Slot[tuple[tuple[str | None, bool], ...]] = Slot(endpoints.PROJECT_EXCLUSIONS)
        self.exclusion_groups: Slot[tuple[Members, ...]] = Slot(endpoints.EXCLUSION_GROUPS)

    async def run(self) -> None:
        """Read everything; what is left unread when this is cut off says that it took too long."""
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.project_groups.fill, self._read_project)
            tasks.start_soon(self.exclusion_groups.fill, self._read_groups)

    async def _read_project(self) -> tuple[tuple[str | None, bool], ...]:
        groups = await self._reads.project_groups(self._group)
        places = ((replace(self._group, target_group_id=group_id), enabled) for group_id, enabled in groups)
        return tuple(
            (place.target_group_id if may_read(self._policy, place) else None, enabled) for place, enabled in places
        )

    async def _read_groups(self) -> tuple[Members, ...]:
        groups = await self._reads.exclusion_groups(self._group)
        opened = [await self._opened(group) for group in groups[:GROUPS_OPENED]]
        return (*opened, *(Members(group.tag, None) for group in groups[GROUPS_OPENED:]))

    async def _opened(self, group: ExclusionGroup) -> Members:
        try:
            members = await self._reads.exclusion_group_members(self._group.account_id, group.exclusion_group_id)
        except RecontactError:
            return Members(group.tag, None)
        return Members(group.tag, len({*members} - {self._group.target_group_id}))
