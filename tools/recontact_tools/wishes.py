"""What a caller asks for, written down so that it is known again: as an intent, under digests of all that it says."""

from dataclasses import dataclass

from recontact_tools.errors import ErrorCode, InvalidInput
from recontact_tools.identifiers import RespondentFile
from recontact_tools.ledger import Intent, IntentState, KeyTaken, Replacement, ReplacementKeyTaken, Stage
from recontact_tools.models import IdType, JobKind, TargetGroup
from recontact_tools.runtime import Runtime
from recontact_tools.staged import Source


async def planned(
    runtime: Runtime,
    kind: JobKind,
    group: TargetGroup,
    *,
    ids: int | None = None,
    id_type: IdType | None = None,
    content: bytes | None = None,
    key: str | None = None,
    restores: str | None = None,
) -> Intent:
    """Return a new intent; an upload's file name is unique, so that its job can be found by it.

    *content* is what an upload would send. Of it and of the caller's *key* digests are kept: a key may hold anything.
    A removal without a key has no fingerprint: a person agrees to each.
    """
    intent_id, now = runtime.new_id(), runtime.clock.now()
    digest = runtime.ledger.digest
    return Intent(
        intent_id=intent_id,
        kind=kind,
        principal=runtime.principal,
        group=group,
        id_type=id_type,
        file_name=f"recontacts-{intent_id}.csv" if kind is JobKind.UPLOAD else None,
        ids=ids,
        stored_before=None,
        state=IntentState.PLANNED,
        created_at=now,
        updated_at=now,
        fingerprint=None
        if content is None and key is None
        else await digest(*_wish(kind, group, id_type, content, restores)),
        idempotency_key=await _key_digest(runtime, key),
        restores=restores,
        claims=runtime.claims,
    )


async def _key_digest(runtime: Runtime, key: str | None) -> str | None:
    return None if key is None else await runtime.ledger.digest(b"key", key.encode())


def _wish(
    kind: JobKind, group: TargetGroup, id_type: IdType | None, content: bytes | None, restores: str | None
) -> tuple[bytes, ...]:
    place = (str(group.account_id), group.project_id, group.target_group_id)
    words = ("wish", kind.value, *place, id_type.value if id_type else "")
    parts = (*(word.encode() for word in words), content or b"")
    return parts if restores is None else (*parts, restores.encode())


async def asked_before(runtime: Runtime, intent: Intent) -> Intent | None:
    """Return the earlier intent that a planned one repeats, if it repeats one.

    Raises:
        InvalidInput: Its idempotency key stands for something else.
    """
    try:
        return await runtime.ledger.standing(intent)
    except KeyTaken as taken:
        raise key_conflict(taken.intent) from None


async def is_known_removal(runtime: Runtime, group: TargetGroup, key: str) -> bool:
    """Tell whether a removal was asked for under this key, so that nobody is asked to agree to it again.

    Raises:
        InvalidInput: The key stands for something else.
    """
    return await asked_before(runtime, await planned(runtime, JobKind.REMOVAL, group, key=key)) is not None


async def replacement_wished(
    runtime: Runtime, group: TargetGroup, file: RespondentFile, id_type: IdType, *, key: str | None
) -> Replacement:
    """Return a new replacement of whatever is stored by the ids of a file; how many are stored, the plan says."""
    now, digest = runtime.clock.now(), runtime.ledger.digest
    place = (str(group.account_id), group.project_id, group.target_group_id)
    words = ("replacement", *place, id_type.value)
    return Replacement(
        replacement_id=runtime.new_id(),
        removal_id=runtime.new_id(),
        principal=runtime.principal,
        group=group,
        id_type=id_type,
        ids=file.ids,
        stored_before=0,
        stage=Stage.REMOVING,
        fingerprint=await digest(*(word.encode() for word in words), file.content),
        created_at=now,
        updated_at=now,
        idempotency_key=await _key_digest(runtime, key),
        claims=runtime.claims,
    )


async def replaced_before(runtime: Runtime, wanted: Replacement) -> Replacement | None:
    """Return the earlier replacement that a new one repeats, if it repeats one.

    Raises:
        InvalidInput: Its idempotency key stands for something else.
    """
    try:
        return await runtime.ledger.replacements.standing(wanted)
    except ReplacementKeyTaken as taken:
        raise _key_taken(taken.replacement_id, "replacement") from None


@dataclass(frozen=True, slots=True)
class WishedReplacement:
    """A replacement that a call asks for, what it is made of, and the earlier one that it repeats, if it repeats one.

    Where its staged file was used up before, *replacement* is that earlier one.
    """

    replacement: Replacement
    source: Source
    earlier: Replacement | None


async def wished_from(
    runtime: Runtime, group: TargetGroup, source: Source, id_type: IdType, *, key: str | None
) -> WishedReplacement:
    """Return the replacement of whatever is stored by a source.

    Raises:
        InvalidInput: Its idempotency key stands for something else.
    """
    if source.used_by is not None:
        earlier = await runtime.ledger.replacements.get(source.used_by)
        if earlier is None:
            raise AssertionError("what used a ticket up was written down with it")
        return WishedReplacement(earlier, source, earlier)
    wanted = await replacement_wished(runtime, group, source.file, id_type, key=key)
    return WishedReplacement(wanted, source, await replaced_before(runtime, wanted))


def key_conflict(earlier: Intent) -> InvalidInput:
    """Say that an idempotency key stands for an earlier intent, and for something else than is asked now."""
    return _key_taken(earlier.job_id or earlier.intent_id, earlier.kind.value)


def _key_taken(job_id: str, kind: str) -> InvalidInput:
    return InvalidInput(
        "This idempotency_key stands for an earlier call with other arguments; nothing was sent.",
        code=ErrorCode.IDEMPOTENCY_CONFLICT,
        next_step="For another upload or removal use a new key; to repeat the earlier call, repeat its arguments.",
        details={"job_id": job_id, "kind": kind},
    )
