"""What the tools answer of what is kept for an undo: snapshots, proofs and replacements, in counts and hashes."""

from pydantic import BaseModel, ConfigDict


class SnapshotReport(BaseModel):
    """What was stored before a removal, kept sealed: *ids* so far, and *complete* once all of them are in it."""

    model_config = ConfigDict(frozen=True)

    snapshot_id: str
    ids: int
    complete: bool
    expires_at: str
    resource_uri: str


class ProofReport(BaseModel):
    """What is stored, all of it read and compared with the list that should be.

    *equal* is whether count and hash of the set agree; if not, *missing* IDs are not stored and *extra* ones are.
    *set_hash* is the same for the same set, on this server only.
    """

    model_config = ConfigDict(frozen=True)

    equal: bool
    stored: int
    expected: int
    missing: int
    extra: int
    set_hash: str


class ReplacementReport(BaseModel):
    """Where a replacement stands: removing, uploading, verifying, restoring; done, refused, restored or stuck.

    *standing* says what has happened, *on_restart* what the server does next if it stops now. *snapshot_id* holds the
    old list.
    """

    model_config = ConfigDict(frozen=True)

    stage: str
    standing: str
    on_restart: str
    ids_before: int
    ids_after: int
    snapshot_id: str
    removal_job_id: str | None
    upload_job_id: str | None
