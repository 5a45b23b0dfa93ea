"""What can be restored: the snapshot of a removal, or the file of a finished upload."""

from dataclasses import dataclass
from typing import Annotated

import anyio.to_thread
from pydantic import Field

from recontact_tools.errors import InvalidInput, NotFound
from recontact_tools.identifiers import RespondentFile, read_identifiers
from recontact_tools.ledger import IntentState, Snapshot
from recontact_tools.looking import LOOK_SECONDS, look_soon
from recontact_tools.missing import file_of_upload
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.proving import FROM_SNAPSHOT, FROM_UPLOAD
from recontact_tools.runtime import Runtime
from recontact_tools.sealed_lists import ids_of, lines_of

SourceSnapshot = Annotated[str | None, Field(description="snapshot_id of a removal.")]
SourceUpload = Annotated[str | None, Field(description="Instead: job_id of a finished upload, to send its file again.")]


@dataclass(frozen=True, slots=True)
class KeptList:
    """A list that can be sent again, and where it is from: the source that an intent remembers."""

    file: RespondentFile
    id_type: IdType
    source: str


async def kept_list_of(
    runtime: Runtime, group: TargetGroup, *, snapshot_id: str | None, upload_job_id: str | None
) -> KeptList:
    """Return the list that a caller means; without either id the latest snapshot of the target group.

    Raises:
        InvalidInput: Both were given, or the upload still runs, or was not started here.
        NotFound: There is no such snapshot or job.
        Unreachable: The list cannot be opened, or its file not be read.
    """
    if "" in {snapshot_id, upload_job_id} or (snapshot_id and upload_job_id):
        raise InvalidInput(
            "snapshot_id and upload_job_id were both given, or one of them is empty; nothing was sent.",
            next_step="Repeat the call with one of them, or with neither for the latest snapshot.",
            safe_to_repeat=True,
        )
    if upload_job_id:
        return await _of_upload(runtime, group, upload_job_id)
    snapshot = await snapshot_in(runtime, group, snapshot_id)
    ids = await ids_of(runtime.ledger, runtime.seal, snapshot.snapshot_id)
    file = await anyio.to_thread.run_sync(lambda: read_identifiers(lines_of(ids)))
    return KeptList(file, IdType.RSID, f"{FROM_SNAPSHOT}{snapshot.snapshot_id}")


async def snapshot_in(runtime: Runtime, group: TargetGroup, snapshot_id: str | None) -> Snapshot:
    """Return a complete snapshot of a target group: the named one, or the latest.

    Raises:
        NotFound: There is none.
    """
    for snapshot in await runtime.ledger.snapshots.kept(group):
        wanted = snapshot.snapshot_id == snapshot_id if snapshot_id else await _was_removed(runtime, snapshot)
        if snapshot.is_complete and wanted:
            return snapshot
    raise NotFound(
        "This server keeps no such snapshot of this target group; nothing was sent.",
        next_step="`recontact-mcp snapshots` shows the user what is kept. Without snapshot_id the latest one is taken.",
    )


async def _was_removed(runtime: Runtime, snapshot: Snapshot) -> bool:
    """Whether the removal that a snapshot was taken for was sent: nobody means one that did not come to it."""
    removal = await runtime.ledger.get(snapshot.snapshot_id)
    return removal is not None and removal.state not in {IntentState.PLANNED, IntentState.REFUSED}


async def _of_upload(runtime: Runtime, group: TargetGroup, job_id: str) -> KeptList:
    seen = await look_soon(runtime, group, JobKind.UPLOAD, job_id, seconds=LOOK_SECONDS)
    if not seen.job.is_finished or seen.intent is None or seen.intent.id_type is None:
        raise InvalidInput(
            "That upload still runs, or was not started here, so what its file holds is not known. Nothing was sent.",
            next_step="Give the job_id of a finished upload that was started here, or a snapshot_id.",
        )
    file = await file_of_upload(runtime, group, seen)
    return KeptList(file, seen.intent.id_type, f"{FROM_UPLOAD}{job_id}")
