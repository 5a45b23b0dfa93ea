"""Which of the newer operations an account has: looked for when one is missing, and remembered for a while."""

from typing import Final

from recontact_tools.errors import FeatureMissing, NotFound, RecontactError, Refused
from recontact_tools.gateway import paths
from recontact_tools.gateway.accounts import Accounts, Memory
from recontact_tools.gateway.readers import read_count, read_job_page
from recontact_tools.gateway.session import Session
from recontact_tools.models import TargetGroup
from recontact_tools.versions import Feature, Features, Version

REMEMBERED_SECONDS: Final = 900.0  # ours: Cint may enable them at any time, and looking again is two small reads
# source: cint-api.md section 1.2: the operations 3 to 6 came together, so the list tells for all of them
ALL: Final = Features(job_list=True, download=True, rid_upload=True)
NONE: Final = Features(job_list=False, download=False, rid_upload=False)
WITHOUT_RIDS: Final = Features(job_list=True, download=True, rid_upload=False)

_WHAT = {
    Feature.JOB_LIST: "list of upload jobs",
    Feature.DOWNLOAD: "download of uploaded files",
    Feature.RID_UPLOAD: "upload of RIDs",
}
_STILL = (
    "What still works: uploading RSIDs, reading a job by its id, the overview, the list of stored RSIDs and "
    "the removal of all."
)


class FeatureFinder:
    """Find the features of an account by harmless reads, at most once in a while."""

    def __init__(self, session: Session, accounts: Accounts, version: Version) -> None:
        self._session = session
        self._accounts = accounts
        self._version = version

    def lacks(self, group: TargetGroup, feature: Feature) -> bool:
        """Tell whether *feature* is remembered to be missing from the group's account."""
        known = self._memory(group).get()
        return known is not None and not known.has(feature)

    def require(self, group: TargetGroup, feature: Feature) -> None:
        """Go on unless *feature* is known to be missing.

        Raises:
            FeatureMissing: It is; nothing was sent.
        """
        if self.lacks(group, feature):
            raise self._missing(feature)

    async def look(self, group: TargetGroup) -> Features:
        """Return the features, by one or two reads if nothing is remembered.

        Raises:
            NotFound: There is no such account, project or target group, so nothing can be told.
            RecontactError: What a read raises.
        """
        known = self._memory(group).get()
        return known or self._keep(group, await self._session.bounded(lambda: self._looked(group)))

    async def check(self, group: TargetGroup, feature: Feature) -> None:
        """Go on if *feature* was seen to be there: by what is remembered, else by one or two reads.

        Raises:
            FeatureMissing: It was seen to be missing.
            RecontactError: What a read raises; nothing can be told then.
        """
        if not (await self.look(group)).has(feature):
            raise self._missing(feature)

    async def explained(self, group: TargetGroup, feature: Feature, error: NotFound) -> Refused:
        """Return what the 404 *error* of an operation that needs *feature* means: that, or that a thing is not there.

        An operation that was refused did nothing; if looking does not tell why, it stays refused.
        """
        try:
            found = await self.look(group)
        except RecontactError:
            return error
        if found.has(feature) and feature is Feature.RID_UPLOAD:  # the group is there, and no job was asked for
            found = self._keep(group, WITHOUT_RIDS)
        return error if found.has(feature) else self._missing(feature)

    async def _looked(self, group: TargetGroup) -> Features:
        jobs = paths.recontacts_path(group, paths.RESPONDENT_UPLOADS)
        try:
            await self._session.read(jobs, read_job_page, query=paths.page_query(1, None))
        except NotFound:
            await self._session.read(paths.recontacts_path(group, paths.OVERVIEW), read_count)
            return NONE
        return ALL

    def _keep(self, group: TargetGroup, found: Features) -> Features:
        self._memory(group).keep(found, REMEMBERED_SECONDS)
        return found

    def _memory(self, group: TargetGroup) -> Memory[Features]:
        return self._accounts.of(paths.recontacts_path(group, paths.OVERVIEW)).features

    def _missing(self, feature: Feature) -> FeatureMissing:
        documented = feature in self._version.documented
        cure = (
            "Cint has to enable it for this account."
            if documented
            else f"API version {self._version.name} does not promise it: set CINT_API_VERSION to a newer one, or go on "
            "without."
        )
        return FeatureMissing(
            f"This account has no {_WHAT[feature]}: the API knows the target group, but not this operation.",
            next_step=f"{cure} {_STILL}",
            details={"feature": feature.value},
        )
