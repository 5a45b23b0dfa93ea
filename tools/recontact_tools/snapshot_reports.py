"""What callers are told of snapshots and proofs: numbers and hashes, never an id."""

from recontact_tools.kept_results import ProofReport, SnapshotReport
from recontact_tools.ledger import Intent, Proof, Snapshot
from recontact_tools.models import IdType
from recontact_tools.runtime import Runtime
from recontact_tools.uris import snapshot_uri


async def snapshot_of(runtime: Runtime, intent: Intent | None) -> SnapshotReport | None:
    """Describe the snapshot that was taken before a removal; None if there is none, or none any more."""
    snapshot = await runtime.ledger.snapshots.get(intent.intent_id) if intent else None
    return None if snapshot is None else snapshot_report(snapshot)


def snapshot_report(snapshot: Snapshot) -> SnapshotReport:
    """Describe a snapshot."""
    return SnapshotReport(
        snapshot_id=snapshot.snapshot_id,
        ids=snapshot.count,
        complete=snapshot.is_complete,
        expires_at=snapshot.expires_at.isoformat(),
        resource_uri=snapshot_uri(snapshot.group, snapshot.snapshot_id),
    )


def proof_report(proof: Proof) -> ProofReport:
    """Describe how what is stored compared with what should be."""
    return ProofReport(
        equal=proof.is_equal,
        stored=proof.stored,
        expected=proof.expected,
        missing=proof.missing,
        extra=proof.extra,
        set_hash=proof.set_hash,
    )


def restored_step(intent: Intent) -> str | None:
    """Say what a finished restore came to; None for any other upload."""
    if intent.restores is None:
        return None
    if intent.proof is None:
        if intent.id_type is IdType.RID:
            return "The restore is done; RIDs cannot be compared with what is stored. Tell the user the growth."
        return (
            "The upload is done; its proof is being made: call again with wait_seconds=45. If it is missing then, "
            "the list could not be read: compare=true counts the RSIDs that are not stored."
        )
    if intent.proof.is_equal:
        return f"Restored and proved: exactly the {intent.proof.stored} RSIDs of the list are stored."
    return (
        f"The upload is done, but the stored list differs: {intent.proof.missing} RSIDs are missing and "
        f"{intent.proof.extra} others are stored. Tell the user; differences_uri lists them, if they ask for IDs."
    )
