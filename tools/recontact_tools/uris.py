"""The one builder of resource URIs: subscriptions match them as exact strings."""

from urllib.parse import quote

from recontact_tools.models import JobKind, TargetGroup

TEMPLATE = "recontact://accounts/{account_id}/projects/{project_id}/target-groups/{target_group_id}/"
OVERVIEW = TEMPLATE + "overview"
UPLOAD_JOB = TEMPLATE + "upload-jobs/{job_id}"
UPLOAD_FILE = TEMPLATE + "upload-jobs/{job_id}/file"
MISSING = TEMPLATE + "upload-jobs/{job_id}/missing.csv"
REMOVAL_JOB = TEMPLATE + "removal-jobs/{job_id}"
RESPONDENTS = TEMPLATE + "respondents.csv"


def _filled(template: str, group: TargetGroup, job_id: str = "") -> str:
    return template.format(
        account_id=group.account_id,
        project_id=group.project_id,
        target_group_id=group.target_group_id,
        job_id=quote(job_id, safe=""),
    )


def overview_uri(group: TargetGroup) -> str:
    """Return where the count of stored RSIDs is read."""
    return _filled(OVERVIEW, group)


def job_uri(group: TargetGroup, kind: JobKind, job_id: str) -> str:
    """Return where one job is read."""
    return _filled(UPLOAD_JOB if kind is JobKind.UPLOAD else REMOVAL_JOB, group, job_id)


def missing_uri(group: TargetGroup, job_id: str) -> str:
    """Return where the RSIDs of an upload that are not stored are read as CSV."""
    return _filled(MISSING, group, job_id)


def respondents_uri(group: TargetGroup) -> str:
    """Return where all stored RSIDs are read as CSV."""
    return _filled(RESPONDENTS, group)


def changed_uris(group: TargetGroup, kind: JobKind, job_id: str) -> tuple[str, str, str]:
    """Return what reads otherwise once a job has changed: the job itself, the count, and the list."""
    return job_uri(group, kind, job_id), overview_uri(group), respondents_uri(group)
