"""Checks of an operation against what is stored and what runs."""

from dataclasses import dataclass
from math import ceil
from typing import NewType

from recontact_tools.errors import ErrorCode, InvalidInput, JobRunning, Unreachable
from recontact_tools.models import JobKind

IDS_PER_TARGET_GROUP = 100_000  # source: cint-api.md, rules of uploads

StoredThatFits = NewType("StoredThatFits", int)
SomethingStored = NewType("SomethingStored", int)


@dataclass(frozen=True, slots=True)
class RunningJob:
    """The job that stands in the way, and where it can be followed.

    *answered* is whether the API has said that it runs; if not, *job_id* is our own for what was asked, and it is
    settled in *settled_in* seconds at the latest what became of it, while the API can be looked at.
    """

    job_id: str
    kind: JobKind
    resource_uri: str
    answered: bool = True
    settled_in: float = 0.0


@dataclass(frozen=True, slots=True)
class NoJobKnown:
    """Nothing is known to run; the API's own 409 still decides."""


def check_capacity(stored: int, new: int) -> StoredThatFits:
    """Accept *new* IDs beside *stored* ones, and return *stored*.

    Every new ID counts, although some may be stored already: which ones, the API does not tell cheaply.

    Raises:
        InvalidInput: together they are more than a target group holds; *details* has the exact room.
    """
    over = stored + new - IDS_PER_TARGET_GROUP
    if over <= 0:
        return StoredThatFits(stored)
    room = max(0, IDS_PER_TARGET_GROUP - stored)
    raise InvalidInput(
        f"A target group holds at most {IDS_PER_TARGET_GROUP} IDs: {stored} are stored and {new} new ones "
        f"are {over} too many. Nothing was sent.",
        code=ErrorCode.CAPACITY_EXCEEDED,
        next_step=_room_left(room),
        details={"stored": stored, "new": new, "room": room, "over": over},
    )


def _room_left(room: int) -> str:
    if room == 0:
        return "There is no room left. Ask the user whether to use another target group."
    return f"Upload at most {room} IDs; ask the user which ones, or whether to use another target group."


def check_something_stored(count: int | None) -> SomethingStored:
    """Accept a removal from a target group that is known to hold something, and return how much.

    Raises:
        Unreachable: nobody knows how much is stored, so nobody can agree to its removal.
        InvalidInput: nothing is stored.
    """
    if count is None or count < 0:
        raise Unreachable(
            "How many IDs are stored is not known, so their removal cannot be agreed to. Nothing was removed.",
            code=ErrorCode.UNAVAILABLE,
            next_step="Call get_recontact_overview; once it answers a count, repeat this call.",
        )
    if count == 0:
        raise InvalidInput(
            "The target group stores no IDs: there is nothing to remove, and nothing was changed.",
            code=ErrorCode.NOTHING_TO_REMOVE,
            next_step="Tell the user that the target group is already empty.",
        )
    return SomethingStored(count)


def check_no_job(running: RunningJob | None) -> NoJobKnown:
    """Accept that a job starts when none is known to run.

    Raises:
        JobRunning: one runs; *details* are its handle.
    """
    if running is None:
        return NoJobKnown()
    raise job_in_the_way(running)


def job_in_the_way(running: RunningJob) -> JobRunning:
    """Return what a caller is told of the job that keeps theirs from being started."""
    happened = f"A job ({running.kind.value}) runs on this target group, which takes one at a time."
    step = "Follow it with {getter} (job_id below, wait_seconds=45); when it has ended, repeat this call."
    if not running.answered:
        happened = (
            f"The answer to an earlier start ({running.kind.value}) on this target group is awaited, or was lost and"
            " the server is looking for it."
        )
        step = _once_settled(running.settled_in)
    return JobRunning(
        f"{happened} Nothing was started.",
        next_step=step.format(getter=f"get_{running.kind.value}_job"),
        details={
            "job_id": running.job_id,
            "kind": running.kind.value,
            "resource_uri": running.resource_uri,
        },
    )


def _once_settled(seconds: float) -> str:
    minutes = ceil(seconds / 60)
    latest = f"That takes about {minutes} minutes at most" if minutes else "That should have happened by now"
    return (
        "{getter} (job_id below, wait_seconds=45) says how that stands: an error until it is settled, then the job that"
        " was found, which can be followed, or that the outcome is unknown. Once it is settled and no job runs, the"
        f" target group is free again: repeat this call then. {latest}; longer only while the API cannot be looked at."
    )
