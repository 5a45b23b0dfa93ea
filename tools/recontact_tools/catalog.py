"""Every operation on one screen; the server registers exactly this list."""

from collections.abc import Awaitable, Callable
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


CATALOG: tuple[Operation, ...] = (
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
