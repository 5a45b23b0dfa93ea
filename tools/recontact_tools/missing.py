"""Which RSIDs of an upload are not stored: the API says at most how many, never which."""

import anyio
import anyio.to_thread

from recontact_tools.comparing import RIDS_NOT_COMPARABLE, check_affordable, packed_file, stored_ids
from recontact_tools.errors import ErrorCode, InvalidInput, Unreachable
from recontact_tools.identifiers import RespondentFile, read_identifiers
from recontact_tools.looking import Seen
from recontact_tools.models import IdType, TargetGroup
from recontact_tools.runtime import Runtime
from recontact_tools.sealed_lists import lines_of


async def missing_ids(runtime: Runtime, group: TargetGroup, seen: Seen, *, seconds: float) -> list[str]:
    """Return the sent RSIDs of a finished upload that *group* does not store now, in the order of the file.

    What was sent is read back from the API: no list of it is kept here.

    Raises:
        InvalidInput: The job runs, or its file held RIDs or nobody knows what.
        NotAllowed: More is stored than the operator lets one comparison read.
        FeatureMissing: The account or the API version has no download of the file.
        Unreachable: One of the lists could not be read whole in *seconds*, or is not what it should be.
        Refused: The API refused a read.
    """
    file, stored = await _both_lists(runtime, group, seen, seconds=seconds)
    lines = file.content.decode().split()
    return [line for line, one in zip(lines, packed_file(file), strict=True) if one not in stored]


async def differing_ids(runtime: Runtime, group: TargetGroup, seen: Seen, *, seconds: float) -> list[tuple[str, str]]:
    """Return what a finished upload and what is stored now do not share: `missing` or `extra`, and the id.

    Raises:
        RecontactError: As `missing_ids` does.
    """
    file, stored = await _both_lists(runtime, group, seen, seconds=seconds)
    sent = frozenset(packed_file(file))
    return [*_named("missing", sent - stored), *_named("extra", stored - sent)]


async def _both_lists(
    runtime: Runtime, group: TargetGroup, seen: Seen, *, seconds: float
) -> tuple[RespondentFile, frozenset[bytes]]:
    """Return what a finished upload sent, and what is stored now."""
    check_comparable(seen)
    with anyio.move_on_after(seconds):
        count = await runtime.gateway.get_overview(group)
        check_affordable(count, pages_max=runtime.rules.compare_pages)
        file = await file_of_upload(runtime, group, seen)
        return file, await stored_ids(runtime, group, count, seconds=seconds)
    raise _unavailable("Comparing what was sent with what is stored took too long.")


def _named(what: str, ids: frozenset[bytes]) -> list[tuple[str, str]]:
    return [(what, line) for line in lines_of(sorted(ids)).decode().split()]


def check_comparable(seen: Seen) -> None:
    """Accept a finished upload of RSIDs that was started here.

    Raises:
        InvalidInput: it is another.
    """
    if not seen.job.is_finished:
        raise _not_comparable("The job still runs: what it stores can be compared once it has ended.", again=True)
    if seen.intent is None or seen.intent.id_type is None:
        raise _not_comparable("This upload was not started here, so nobody can tell whether its file held RSIDs.")
    if seen.intent.id_type is IdType.RID:
        raise _not_comparable(RIDS_NOT_COMPARABLE)


async def file_of_upload(runtime: Runtime, group: TargetGroup, seen: Seen) -> RespondentFile:
    """Return what a finished upload sent, as the API gives it back.

    Raises:
        FeatureMissing: The account or the API version has no download of the file.
        Unreachable: What comes back is not what was sent, or nothing does.
        Refused: The API refused it.
    """
    content = await runtime.gateway.download_upload_file(group, seen.job.job_id)
    try:
        file = await anyio.to_thread.run_sync(read_identifiers, content)
    except InvalidInput:
        raise _unavailable("The file that the API gave back for this job holds no list of IDs.") from None
    if file.ids != seen.ids:
        raise _unavailable("The file that the API gave back for this job is not the one that was sent.")
    return file


def _not_comparable(message: str, *, again: bool = False) -> InvalidInput:
    step = "Follow the job, then repeat the call." if again else "Go on with the counts of get_upload_job."
    return InvalidInput(message, next_step=step, safe_to_repeat=again)


def _unavailable(message: str) -> Unreachable:
    return Unreachable(
        message,
        code=ErrorCode.UNAVAILABLE,
        next_step="Repeat the call in a few minutes; reading changes nothing.",
    )
