"""Every operation on one screen; a server registers those that its clients can use, twelve at most."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from recontact_tools.cancel_recontact_job import cancel_recontact_job
from recontact_tools.check_recontact_readiness import check_recontact_readiness
from recontact_tools.get_recontact_overview import get_recontact_overview
from recontact_tools.get_removal_job import get_removal_job
from recontact_tools.get_upload_job import get_upload_job
from recontact_tools.list_recontacts import list_recontacts
from recontact_tools.list_upload_jobs import list_upload_jobs
from recontact_tools.preview_upload import preview_upload
from recontact_tools.remove_all_recontacts import remove_all_recontacts
from recontact_tools.replace_recontacts import replace_recontacts
from recontact_tools.restore_recontacts import restore_recontacts
from recontact_tools.results import Result
from recontact_tools.stage_upload import stage_upload
from recontact_tools.upload_recontacts import upload_recontacts


@dataclass(frozen=True, slots=True)
class Operation:
    """One tool; no hint has a default, so that none is forgotten."""

    run: Callable[..., Awaitable[Result]]
    title: str
    read_only: bool
    destructive: bool
    idempotent: bool

    @property
    def name(self) -> str:
        """Return the tool's name: its function's."""
        return self.run.__name__


EVERYTHING: tuple[Operation, ...] = (
    Operation(stage_upload, "Stage a file", read_only=False, destructive=False, idempotent=False),
    Operation(preview_upload, "Preview an upload", read_only=True, destructive=False, idempotent=True),
    Operation(upload_recontacts, "Upload recontacts", read_only=False, destructive=False, idempotent=False),
    Operation(get_upload_job, "Get upload job", read_only=True, destructive=False, idempotent=True),
    Operation(list_upload_jobs, "List upload jobs", read_only=True, destructive=False, idempotent=True),
    Operation(remove_all_recontacts, "Remove all recontacts", read_only=False, destructive=True, idempotent=False),
    Operation(get_removal_job, "Get removal job", read_only=True, destructive=False, idempotent=True),
    Operation(restore_recontacts, "Restore recontacts", read_only=False, destructive=False, idempotent=False),
    Operation(replace_recontacts, "Replace recontacts", read_only=False, destructive=True, idempotent=False),
    Operation(cancel_recontact_job, "Cancel a job", read_only=False, destructive=False, idempotent=True),
    Operation(check_recontact_readiness, "Check readiness", read_only=True, destructive=False, idempotent=True),
    Operation(get_recontact_overview, "Recontact overview", read_only=True, destructive=False, idempotent=True),
    Operation(list_recontacts, "List recontacts", read_only=True, destructive=False, idempotent=True),
)

OPERATIONS: Mapping[str, Operation] = {operation.name: operation for operation in EVERYTHING}

# A file is read from this machine, or sent by a person to where the server is. Clients that are told of a job as a
# task can still cancel it.
_ONLY_HERE = frozenset({"cancel_recontact_job"})
_ONLY_REMOTE = frozenset({"stage_upload"})


def catalog(*, local_files: bool) -> tuple[Operation, ...]:
    """Return the operations of a server whose clients run it on their own machine, or reach it from elsewhere."""
    left_out = _ONLY_REMOTE if local_files else _ONLY_HERE
    return tuple(operation for operation in EVERYTHING if operation.name not in left_out)


def hidden_argument(*, local_files: bool) -> str:
    """Return the argument that no tool of such a server has: the way to files that it does not offer."""
    return "ticket" if local_files else "path"
