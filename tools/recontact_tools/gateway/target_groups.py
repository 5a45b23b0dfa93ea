"""The reads of a target group and of what surrounds it, draft or launched."""

from collections.abc import Callable
from typing import Final, TypeVar
from urllib.parse import quote

from recontact_tools.gateway import allocation_readers, exclusion_readers, paths, target_group_readers
from recontact_tools.gateway.answers import Answer
from recontact_tools.gateway.readers import read_respondent_page
from recontact_tools.gateway.session import Session
from recontact_tools.models import RespondentPage, TargetGroup
from recontact_tools.target_group_facts import (
    ActivityExclusion,
    Allocations,
    Dates,
    Described,
    Draft,
    ExcludedCounts,
    ExclusionGroup,
    Overview,
)

T = TypeVar("T")

# source: cint-api.md section 3.2: 301 says launched; ours: other ways of saying "look elsewhere" say the same
ELSEWHERE: Final = frozenset({301, 302, 303, 307, 308})


class TargetGroupReads:
    """One method per read of a target group; every one changes nothing and raises what the gateway's reads raise.

    The API answers some of them for launched target groups alone, and with 404 for a draft.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    async def find(self, target_group_id: str) -> TargetGroup:
        """Return where a launched target group lives, knowing its checked id alone.

        Raises:
            NotFound: There is none, it is a draft, or these credentials do not see it.
        """
        path = f"/demand/target-groups/{target_group_id}/overview"
        return await self._session.read(
            path, lambda answer: target_group_readers.read_location(answer, target_group_id)
        )

    async def draft(self, group: TargetGroup) -> Draft | None:
        """Return a draft, or None for a target group that was launched."""
        return await self._session.read(_path(group), target_group_readers.read_draft, also=ELSEWHERE)

    async def details(self, group: TargetGroup) -> Described:
        """Return what a launched target group is set to."""
        return await self._of(group, "details", target_group_readers.read_details)

    async def overview(self, group: TargetGroup) -> Overview:
        """Return how a launched target group stands."""
        return await self._of(group, "overview", target_group_readers.read_overview)

    async def fielding_dates(self, group: TargetGroup) -> Dates | None:
        """Return the dates of the fielding run of a launched target group; None if it has none."""
        return await self._of(group, "fielding-runs", target_group_readers.read_fielding_dates)

    async def profiles(self, group: TargetGroup) -> tuple[str, ...]:
        """Return the names of the profiles of a launched target group."""
        return await self._of(group, "profiles", target_group_readers.read_profiles)

    async def allocations(self, group: TargetGroup) -> Allocations:
        """Return how a launched target group allocates its completes."""
        return await self._of(group, "allocation-specification", allocation_readers.read_allocations)

    async def project_exclusion(self, group: TargetGroup) -> bool:
        """Return whether a launched target group excludes who completed another of its project."""
        return await self._of(group, "exclusion-policy", exclusion_readers.read_project_exclusion)

    async def activity_exclusions(self, group: TargetGroup) -> tuple[ActivityExclusion, ...]:
        """Return the activity exclusions of a launched target group."""
        return await self._of(group, "respondent-activity-exclusions", exclusion_readers.read_activity)

    async def excluded_counts(self, group: TargetGroup) -> ExcludedCounts:
        """Return how many single respondents may not enter."""
        return await self._of(group, "exclusions/overview", exclusion_readers.read_excluded_counts)

    async def list_excluded(self, group: TargetGroup, *, page_size: int, cursor: str | None) -> RespondentPage:
        """Return one page of the RSIDs that may not enter; *page_size* is 1 to 1,000."""
        path = _path(group, "exclusions/rsid/paginated")
        return await self._session.read(path, read_respondent_page, query=paths.page_query(page_size, cursor))

    async def project_groups(self, group: TargetGroup) -> tuple[tuple[str, bool], ...]:
        """Return the target groups of the project, each with whether its project exclusion is enabled."""
        path = f"/demand/accounts/{group.account_id}/projects/{_quoted(group.project_id)}/exclusions"
        return await self._session.read(path, exclusion_readers.read_project_groups)

    async def exclusion_groups(self, group: TargetGroup) -> tuple[ExclusionGroup, ...]:
        """Return the exclusion groups that a target group is in."""
        tail = f"target-groups/{_quoted(group.target_group_id)}/exclusion-groups"
        path = f"/demand/accounts/{group.account_id}/{tail}"
        return await self._session.read(path, exclusion_readers.read_exclusion_groups)

    async def exclusion_group_members(self, account_id: int, exclusion_group_id: str) -> tuple[str, ...]:
        """Return the ids of the target groups in an exclusion group."""
        path = f"/demand/accounts/{account_id}/exclusion-groups/{_quoted(exclusion_group_id)}/target-groups"
        return await self._session.read(path, exclusion_readers.read_members)

    async def study_types(self) -> frozenset[str]:
        """Return the codes of all study types, in lower case."""
        return await self._session.read(paths.STUDY_TYPES, target_group_readers.read_study_types)

    async def template(self, account_id: int, business_unit_id: str, template_id: str, *, locale: str) -> Allocations:
        """Return an allocation template as it applies to a business unit; *locale* is the API's code, as eng_us."""
        unit = f"/demand/accounts/{account_id}/business-units/{_quoted(business_unit_id)}"
        path = f"{unit}/global-allocation-templates/{_quoted(template_id)}"
        return await self._session.read(path, allocation_readers.read_allocations, query=f"locale={_quoted(locale)}")

    async def _of(self, group: TargetGroup, tail: str, reader: Callable[[Answer], T]) -> T:
        return await self._session.read(_path(group, tail), reader)


def _path(group: TargetGroup, tail: str = "") -> str:
    head = (
        f"/demand/accounts/{group.account_id}/projects/{_quoted(group.project_id)}"
        f"/target-groups/{_quoted(group.target_group_id)}"
    )
    return f"{head}/{tail}" if tail else head


def _quoted(name: str) -> str:
    """Quote an id that the API itself, a check or the operator gave; dots alone would name another path."""
    return quote(name, safe="").replace(".", "%2E")
