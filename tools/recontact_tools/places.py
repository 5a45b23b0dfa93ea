"""What one process remembers of where target groups live, so that an id is looked up once."""

from typing import Final

from recontact_tools.models import TargetGroup

# ours: some hundred kilobytes at most; whoever works on more groups looks one up again.
REMEMBERED_MAX: Final = 1_024


class Places:
    """The place of each target group that was named by its id alone; the oldest is forgotten for a new one.

    A place is remembered only after the policy let it through, and forgotten when the API does not know it.
    """

    def __init__(self, limit: int = REMEMBERED_MAX) -> None:
        self._limit = limit
        self._places: dict[str, TargetGroup] = {}

    def get(self, target_group_id: str) -> TargetGroup | None:
        """Return the place that is remembered for an id; a text that is no checked id finds nothing."""
        return self._places.get(target_group_id)

    def remember(self, group: TargetGroup) -> None:
        """Remember where a target group lives, in place of what was remembered for it before."""
        self._places.pop(group.target_group_id, None)
        while len(self._places) >= self._limit:
            del self._places[next(iter(self._places))]
        self._places[group.target_group_id] = group

    def forget(self, target_group_id: str) -> None:
        """Forget where a target group lives, if it is remembered."""
        self._places.pop(target_group_id, None)
