"""Single fields of an answer, read tolerantly: one of another type counts as one that is absent."""

import json
import math
from datetime import UTC, datetime
from typing import TypeAlias, cast

from recontact_tools.gateway.answers import Answer, Unreadable
from recontact_tools.gateway.readers import COUNT_MAX, HALF_CHARACTER, UUID_SHAPED

LABEL_CHARACTERS_MAX = 80  # ours: enough to recognise what somebody named, in a report that stays short

Fields: TypeAlias = dict[str, object]


def text(found: Fields, name: str) -> str | None:
    """Return a text that can be written, without surrounding blanks; None if there is none."""
    value = found.get(name)
    whole = isinstance(value, str) and not HALF_CHARACTER.search(value)
    return (cast("str", value).strip() or None) if whole else None


def raw_text(found: Fields, name: str) -> str | None:
    """Return a text exactly as it is, blanks included; None if there is none."""
    value = found.get(name)
    return value if isinstance(value, str) and not HALF_CHARACTER.search(value) else None


def label(found: Fields, name: str) -> str | None:
    """Return a name that somebody gave, short, on one line, and without the respondent IDs it may quote."""
    value = text(found, name)
    return UUID_SHAPED.sub("[id]", " ".join(value.split()))[:LABEL_CHARACTERS_MAX] if value else None


def key(found: Fields, name: str) -> str | None:
    """Return an id as a text; the API types some as a number here and as a text there."""
    value = found.get(name)
    return str(value) if type(value) is int and abs(value) < COUNT_MAX else text(found, name)


def number(found: Fields, name: str) -> float | None:
    """Return a finite number, which may be written as a text."""
    value = found.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        read = float(value)
    except (ValueError, OverflowError):
        return None
    return read if math.isfinite(read) else None


def count(found: Fields, name: str) -> int | None:
    """Return a whole number from 0 on."""
    read = number(found, name)
    return int(read) if read is not None and read.is_integer() and 0 <= read <= COUNT_MAX else None


def flag(found: Fields, name: str) -> bool | None:
    """Return a yes or no."""
    value = found.get(name)
    return value if isinstance(value, bool) else None


def moment(found: Fields, name: str) -> datetime | None:
    """Return a time, in UTC where none is named."""
    try:
        time = datetime.fromisoformat(text(found, name) or "")
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):  # the first hours of year 1 have no UTC
        return None


def fields(found: Fields, name: str) -> Fields | None:
    """Return a nested object."""
    value = found.get(name)
    return cast("Fields", value) if isinstance(value, dict) else None


def rows(found: Fields, name: str) -> list[Fields] | None:
    """Return a list of objects; None if there is no list, or if a line of it is something else."""
    return _objects(found.get(name))


def listed(answer: Answer, *names: str) -> list[Fields]:
    """Return the objects of an answer that is a list, or that has one under the first of *names* it shows.

    Raises:
        Unreadable: It is neither.
    """
    found = _objects(_under(_json(answer.body), names))
    if found is None:
        raise Unreadable
    return found


def lines(answer: Answer, *names: str) -> list[object]:
    """Return what an answer lists, whatever its lines are, itself or under the first of *names* it shows.

    Raises:
        Unreadable: It lists nothing.
    """
    found = _under(_json(answer.body), names)
    if not isinstance(found, list):
        raise Unreadable
    return cast("list[object]", found)


def required(value: str | None) -> str:
    """Return a text that its answer makes no sense without.

    Raises:
        Unreadable: It is not there.
    """
    if value is None:
        raise Unreadable
    return value


def _objects(value: object) -> list[Fields] | None:
    if not isinstance(value, list):
        return None
    found = cast("list[object]", value)
    return cast("list[Fields]", found) if all(isinstance(line, dict) for line in found) else None


def _under(found: object, names: tuple[str, ...]) -> object:
    """Return the first of *names* that an object shows; anything else is returned as it is."""
    if not isinstance(found, dict):
        return found
    document = cast("Fields", found)
    return next((document[name] for name in names if document.get(name) is not None), None)


def _json(body: bytes) -> object:
    try:
        return cast("object", json.loads(body))
    except (ValueError, RecursionError):
        return None
