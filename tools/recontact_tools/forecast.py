"""What an upload would come to: arithmetic on what is stored, what would be sent, and what the two share."""

from dataclasses import dataclass

from recontact_tools.errors import ErrorCode, FeatureMissing, InvalidInput, RecontactError
from recontact_tools.guardrails import IDS_PER_TARGET_GROUP, check_capacity
from recontact_tools.models import IdType

RID_HINT = (
    "RIDs: Cint looks up the respondent of each. Those it does not know fail, and several may be one respondent, "
    "so the count may grow by less than is sent."
)


@dataclass(frozen=True, slots=True)
class Overlap:
    """How many of the ids to send are *new*, or *unknown_because*: exactly one of the two is None."""

    new: int | None
    unknown_because: str | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """An upload of *ids* distinct ids beside *stored* ones."""

    ids: int
    stored: int
    id_type: IdType
    overlap: Overlap

    @property
    def new_at_most(self) -> int:
        """How many ids are new, every one where nothing was compared."""
        return self.ids if self.overlap.new is None else self.overlap.new

    @property
    def already_stored(self) -> int | None:
        """How many of the ids are stored, where that is known."""
        return None if self.overlap.new is None else self.ids - self.overlap.new

    @property
    def room_left(self) -> int:
        """How many more ids the target group can hold."""
        return max(0, IDS_PER_TARGET_GROUP - self.stored)

    @property
    def over_capacity(self) -> int:
        """How many ids are too many."""
        return max(0, self.new_at_most - self.room_left)

    @property
    def predicted(self) -> tuple[int, int]:
        """The least and the most that can be stored afterwards, if the API accepts every id that it can hold."""
        high = self.stored + min(self.new_at_most, self.room_left)
        if self.overlap.new is not None:
            return high, high
        # Distinct RSIDs are at least so many respondents; RIDs may all be unknown, or stored already.
        return (self.stored if self.id_type is IdType.RID else max(self.stored, self.ids)), high


def refusal(
    forecast: Forecast, *obstacles: RecontactError | None, lacking: FeatureMissing | None = None
) -> RecontactError | None:
    """Return what the upload would be refused with: the first of *obstacles*, or for want of room.

    What is *lacking* comes last, for only the API's own answer to the upload says it.
    """
    for obstacle in obstacles:
        if obstacle is not None:
            return obstacle
    try:
        check_capacity(forecast.stored, forecast.new_at_most)
    except InvalidInput as too_many:
        return too_many
    return lacking


def next_step(
    forecast: Forecast, refused: RecontactError | None, *, again: str | None, tool: str = "upload_recontacts"
) -> str:
    """Say what to do about an upload with this forecast; *again* is the job that an earlier call of *tool* started."""
    if refused is None and again is not None:
        return (
            f"An earlier call asked for this very upload: {tool} would answer its job (job_id) instead of "
            "starting another. Follow it with get_upload_job."
        )
    if forecast.overlap.new == 0:
        return "Every ID is stored already: tell the user that there is nothing to upload."
    if refused is None:
        return f"Tell the user these numbers and what was dropped; if they agree, call {tool} with the same arguments."
    advice = f"{tool} would refuse this now with {refused.code.value}. {refused.next_step}"
    if refused.code is ErrorCode.CAPACITY_EXCEEDED and forecast.overlap.new is None:
        return f"{advice} It would fit if enough of the IDs are stored already, which was not compared."
    return advice
