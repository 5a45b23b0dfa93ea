"""What one exchange came to, before anybody judges it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias, cast

RETRY_AFTER_DIGITS_MAX = 6  # ours: eleven days; more digits are nonsense, not a wait

# ours: statuses in the 400s by which a proxy says that it gave up on the exchange, not that it refused the
# request: 408 and 444 waited too long, 460 and 499 saw a side hang up. The API may have had the request.
GAVE_UP = frozenset({408, 444, 460, 499})


class Unreadable(Exception):
    """An answer does not have the shape that the API documents; holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer; the body is kept out of the repr because it may hold respondent IDs."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def is_success(self) -> bool:
        """Whether the API did what it was asked."""
        return 200 <= self.status < 300  # noqa: PLR2004 (the range of a class of statuses, named by the method)

    @property
    def retry_after(self) -> int | None:
        """The seconds the API asks us to wait; dates are not used by it and are not read."""
        value = self.headers.get("retry-after", "").strip()
        usable = value.isascii() and value.isdecimal() and len(value) <= RETRY_AFTER_DIGITS_MAX
        return int(value) if usable else None

    @property
    def error_object(self) -> str | None:
        """The word that the error envelope has for this kind of error; None if it is not the envelope."""
        try:
            found = json_object(self.body).get("object")
        except Unreadable:
            return None
        return found if isinstance(found, str) else None

    def __repr__(self) -> str:
        return f"Answer(status={self.status})"


@dataclass(frozen=True, slots=True)
class Broken:
    """An exchange without a complete answer; *cause* is the name of an exception class."""

    connected: bool
    cause: str


Exchanged: TypeAlias = Answer | Broken


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A request that was not sent, for the API has not been answering; the next may go in *seconds*."""

    seconds: int


Outcome: TypeAlias = Exchanged | HeldBack


def json_object(body: bytes) -> dict[str, object]:
    """Read a JSON object.

    Raises:
        Unreadable: It is something else.
    """
    try:
        found = cast("object", json.loads(body))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise Unreadable
    return cast("dict[str, object]", found)
