"""The one builder of resource URIs: subscriptions match them as exact strings."""

import re
from urllib.parse import quote

from recontact_tools.models import JobKind, TargetGroup

TEMPLATE = "recontact://accounts/{account_id}/projects/{project_id}/target-groups/{target_group_id}/"
OVERVIEW = TEMPLATE + "overview"
UPLOAD_JOB = TEMPLATE + "upload-jobs/{job_id}"
UPLOAD_FILE = TEMPLATE + "upload-jobs/{job_id}/file"
MISSING = TEMPLATE + "upload-jobs/{job_id}/missing.csv"
REMOVAL_JOB = TEMPLATE + "removal-jobs/{job_id}"
DIFFERENCES = TEMPLATE + "upload-jobs/{job_id}/differences.csv"
REPLACEMENT = TEMPLATE + "replacements/{replacement_id}"
RESPONDENTS = TEMPLATE + "respondents.csv"
SNAPSHOT = TEMPLATE + "snapshots/{snapshot_id}.csv"
PLAN = TEMPLATE + "plans/{plan_id}"

_GROUP = re.compile(r"recontact://accounts/(\d+)/projects/([^/]+)/target-groups/([^/]+)/")


AUDIT = TEMPLATE + "audit"
WHOLE_AUDIT = "recontact://audit"


def _filled(template: str, group: TargetGroup, **ids: str) -> str:
    return template.format(
        account_id=group.account_id,
        project_id=group.project_id,
        target_group_id=group.target_group_id,
        **{name: quote(one, safe="") for name, one in ids.items()},
    )


def overview_uri(group: TargetGroup) -> str:
    """Return where the count of stored RSIDs is read."""
    return _filled(OVERVIEW, group)


def job_uri(group: TargetGroup, kind: JobKind, job_id: str) -> str:
    """Return where one job is read."""
    return _filled(UPLOAD_JOB if kind is JobKind.UPLOAD else REMOVAL_JOB, group, job_id=job_id)


def missing_uri(group: TargetGroup, job_id: str) -> str:
    """Return where the RSIDs of an upload that are not stored are read as CSV."""
    return _filled(MISSING, group, job_id=job_id)


def respondents_uri(group: TargetGroup) -> str:
    """Return where all stored RSIDs are read as CSV."""
    return _filled(RESPONDENTS, group)


def differences_uri(group: TargetGroup, job_id: str) -> str:
    """Return where what an upload sent is compared with what is stored, both ways, as CSV."""
    return _filled(DIFFERENCES, group, job_id=job_id)


def replacement_uri(group: TargetGroup, replacement_id: str) -> str:
    """Return where a replacement says how it stands."""
    return _filled(REPLACEMENT, group, replacement_id=replacement_id)


def snapshot_uri(group: TargetGroup, snapshot_id: str) -> str:
    """Return where the RSIDs of a snapshot are read as CSV."""
    return _filled(SNAPSHOT, group, snapshot_id=snapshot_id)


def plan_uri(group: TargetGroup, plan_id: str) -> str:
    """Return where it is read how a plan stands that a person is asked about outside the client."""
    return _filled(PLAN, group, plan_id=plan_id)


def group_in(uri: str) -> TargetGroup | None:
    """Return the target group that a URI made here is about; None for any other URI."""
    found = _GROUP.match(uri)
    return found and TargetGroup(int(found[1]), found[2], found[3])


def audit_uri(group: TargetGroup) -> str:
    """Return where the newest entries of the audit trail about one target group are read."""
    return _filled(AUDIT, group)


def changed_uris(group: TargetGroup, kind: JobKind, job_id: str) -> tuple[str, str, str]:
    """Return what reads otherwise once a job has changed: the job itself, the count, and the list."""
    return job_uri(group, kind, job_id), overview_uri(group), respondents_uri(group)
