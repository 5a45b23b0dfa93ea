"""What every tool needs besides its target group, for tests that are about all of them alike."""

from typing import Any

from recontact_tools.catalog import catalog

SOMEBODY = "5a3b2ada-dead-4bad-8bad-c0ffeec0ffee"
NOBODYS_JOB = "01BTGNYV6HRNK8K8VKZASZCFZZ"
REMOTE_TOOLS = [operation.name for operation in catalog(local_files=False)]
EVERY_TOOL = [operation.name for operation in catalog(local_files=True)]
# It only looks at what was started here: of all else it says that it was started elsewhere.
ASKING_TOOLS = [name for name in EVERY_TOOL if name != "cancel_recontact_job"]
TOOLS_OF_A_JOB = {"get_upload_job", "get_removal_job", "restore_recontacts", "cancel_recontact_job"}

_ARGUMENTS: dict[str, dict[str, Any]] = {
    "preview_upload": {"ids": [SOMEBODY]},
    "upload_recontacts": {"ids": [SOMEBODY]},
    "replace_recontacts": {"ids": [SOMEBODY]},
    "get_upload_job": {"job_id": NOBODYS_JOB},
    "get_removal_job": {"job_id": NOBODYS_JOB},
    "cancel_recontact_job": {"job_id": NOBODYS_JOB},
    "restore_recontacts": {"upload_job_id": NOBODYS_JOB},
}


def arguments_of(name: str) -> dict[str, Any]:
    """Return what a tool needs: ids that nobody stored, or a job that nobody started."""
    return _ARGUMENTS.get(name, {})
