"""Cut lists into pages: by a key in memory, or by respondent ID from wherever they are stored."""

from collections.abc import Callable, Mapping

from recontact_service.cursors import key_cursor, read_key_cursor, read_respondent_cursor, respondent_cursor
from recontact_service.packed import ID_BYTES, as_text
from recontact_service.problems import bad_parameter
from recontact_service.requests import PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX, page_size_of
from recontact_service.settings import ServiceSettings
from recontact_service.values import Json

Forwards = Callable[[bytes, int], bytes]  # the first respondent IDs after one, and how many at most
Backwards = Callable[[bytes, int], bytes]  # the last ones before one, and how many at most


def page_of(
    entries: Mapping[str, Json],
    query: Mapping[str, str],
    *,
    settings: ServiceSettings,
    most: int = PAGE_SIZE_MAX,
    default: int = PAGE_SIZE_DEFAULT,
) -> tuple[list[Json], str | None]:
    """Cut one page out of a list in its order; also return the cursor of the next, None on the last.

    Raises:
        Problem: 400 for a page size or a cursor that is none.
    """
    limit = page_size_of(query, settings, most=most, default=default)
    keys = [*entries]
    _refuse_both(query)
    if "end_before" in query:
        end = _position(keys, query, "end_before")
        start = max(0, end - limit)
    else:
        start = _position(keys, query, "start_after") + 1 if "start_after" in query else 0
        end = start + limit
    shown = keys[start:end]
    return [entries[key] for key in shown], key_cursor(shown[-1]) if shown and end < len(keys) else None


def rsid_page(
    owner: str, query: Mapping[str, str], limit: int, *, forwards: Forwards, backwards: Backwards
) -> tuple[list[Json], str | None]:
    """Cut one page out of the respondent IDs of a target group, and return the cursor of the next.

    Raises:
        Problem: 400 for a cursor that is none of this list.
    """
    _refuse_both(query)
    if "end_before" in query:
        page = backwards(read_respondent_cursor(query["end_before"], owner, name="end_before"), limit)
        more = bool(page)
    else:
        after = query.get("start_after")
        key = read_respondent_cursor(after, owner, name="start_after") if after is not None else b""
        page = forwards(key, limit + 1)
        more = len(page) > limit * ID_BYTES
        page = page[: limit * ID_BYTES]
    return [*as_text(page)], respondent_cursor(owner, page[-ID_BYTES:]) if more else None


def with_cursor(shown: dict[str, Json], following: str | None, *, settings: ServiceSettings) -> dict[str, Json]:
    """Add the cursor of the next page to an answer whose schema knows no null for it."""
    if following is None and settings.unset_fields == "absent":
        return shown
    return {**shown, "next_cursor": following}


def _refuse_both(query: Mapping[str, str]) -> None:
    """Refuse to go both ways at once.

    Raises:
        Problem: 400.
    """
    if "end_before" in query and "start_after" in query:  # assumed: both at once make no sense
        raise bad_parameter("end_before", "cannot be combined with start_after")


def _position(keys: list[str], query: Mapping[str, str], name: str) -> int:
    key = read_key_cursor(query[name], name=name)
    if key not in keys:
        raise bad_parameter(name, "is not a pagination cursor of this list")
    return keys.index(key)
