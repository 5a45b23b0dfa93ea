"""The states of intents and plans, and which may follow which."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Literal, TypeAlias

SettledBy: TypeAlias = Literal["job", "overview"]


class IntentState(StrEnum):
    """How far one upload or removal has come."""

    PLANNED = "planned"
    SENDING = "sending"
    STARTED = "started"
    FINISHED = "finished"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class PlanState(StrEnum):
    """Whether a removal plan may still be used."""

    OPEN = "open"
    SPENT = "spent"
    CLOSED = "closed"


class Evidence(StrEnum):
    """How sure it is that a person agreed, weakest first; more grades may follow."""

    CLIENT_ELICITED = "client-elicited"  # the client says that a person typed the phrase
    HUMAN_OOB = "human-oob"  # a person agreed outside the client, where no client speaks for them

    def suffices(self, minimum: "Evidence") -> bool:
        """Tell whether this is at least as sure as *minimum*."""
        grades = list(Evidence)
        return grades.index(self) >= grades.index(minimum)


class PlanPurpose(StrEnum):
    """What a person agrees to with a plan."""

    REMOVAL = "removal"
    REPLACEMENT = "replacement"


class Stage(StrEnum):
    """How far a replacement has come; the last four are its ends."""

    REMOVING = "removing"
    UPLOADING = "uploading"
    VERIFYING = "verifying"
    RESTORING = "restoring"
    DONE = "done"
    REFUSED = "refused"
    RESTORED = "restored"
    STUCK = "stuck"


ENDS = frozenset({Stage.DONE, Stage.REFUSED, Stage.RESTORED, Stage.STUCK})

# While an intent is in one of these, no other may exist for its target group.
ACTIVE_STATES = frozenset({IntentState.PLANNED, IntentState.SENDING, IntentState.STARTED})

_FOLLOWERS: Mapping[IntentState, frozenset[IntentState]] = MappingProxyType(
    {
        IntentState.PLANNED: frozenset({IntentState.SENDING, IntentState.REFUSED}),
        # FINISHED at once: a lost removal answer that the overview settles never shows a job id.
        IntentState.SENDING: frozenset(
            {IntentState.STARTED, IntentState.FINISHED, IntentState.REFUSED, IntentState.UNKNOWN}
        ),
        IntentState.STARTED: frozenset({IntentState.FINISHED, IntentState.UNKNOWN}),
        # A later look may still find what became of it.
        IntentState.UNKNOWN: frozenset({IntentState.STARTED, IntentState.FINISHED}),
        IntentState.FINISHED: frozenset(),
        IntentState.REFUSED: frozenset(),
    }
)


def can_follow(old: IntentState, new: IntentState) -> bool:
    """Tell whether an intent in state *old* may move to state *new*; staying is not a move."""
    return new in _FOLLOWERS[old]
