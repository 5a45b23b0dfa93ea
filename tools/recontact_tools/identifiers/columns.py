"""Choosing the column that holds the ids: by what is in it, and by what its header says."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from recontact_tools.identifiers.cells import bare, id_in, is_name
from recontact_tools.identifiers.refusals import ambiguous_column, no_such_column, other_id_type
from recontact_tools.models import IdType

LEADING_MAX = 20  # ours: titles and blank lines that reports put above their header

_EXACT, _WORD, _LOOSE = 3, 2, 1
_WORDS = {IdType.RSID: {"rsid", "rsids"}, IdType.RID: {"rid", "rids"}}
_LOOSE_NAMES = {
    IdType.RSID: ("respondent", "respondents", "respondentid", "respondentids"),
    IdType.RID: ("responseid", "responseids", "sessionid", "sessionids"),
}
_SAFE_NAME = re.compile(r"[A-Za-z](?:[ _.-]?[A-Za-z0-9]){0,39}")
_DIGITS_MAX = 3  # ours: a name has few digits; a shortened id or a phone number has more
_HEX_NAME = re.compile(r"[0-9a-fA-F-]{6,}")
_NUMBER_MAX = 4  # ours: digits of a column number


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column is read (from 0), how to call it, and the record that is the header, if any."""

    index: int
    label: str
    header: int | None


def label_of(names: Sequence[str], index: int) -> str:
    """Return a column's header when it is plainly a name, else `column N`; never content."""
    name = bare(names[index]) if index < len(names) else ""
    digits = sum(letter.isdigit() for letter in name)
    safe = _SAFE_NAME.fullmatch(name) and digits <= _DIGITS_MAX and not _HEX_NAME.fullmatch(name)
    return name if safe else f"column {index + 1}"


def refuse_other_type(name: str, *, id_type: IdType) -> None:
    """Refuse a column whose header names the other type of id.

    Both types have one shape, and ids of the wrong one are stored but never match anybody.

    Raises:
        InvalidInput: INVALID_FILE.
    """
    for other in IdType:
        if other is not id_type and _rank(name, id_type) < _rank(name, other):
            raise other_id_type(other, asked=id_type)


def header_of(leading: Sequence[Sequence[str]], *, column: str | None = None) -> int | None:
    """Return which of the records above the first id is the header: a known name, else the first name."""
    named = [place for place, row in enumerate(leading) if any(is_name(cell) for cell in row)]
    wanted = (column or "").casefold()
    for place in named:
        if any(bare(cell).casefold() == wanted or _known(cell) for cell in leading[place] if bare(cell)):
            return place
    return named[0] if named else None


def choose_column(records: Sequence[Sequence[str]], *, column: str | None, id_type: IdType) -> Layout:
    """Choose the column to read from the first records of a table.

    Raises:
        InvalidInput: INVALID_FILE when the choice is not certain, or the named column is not there.
    """
    counts = Counter(index for row in records for index, cell in enumerate(row) if id_in(cell))
    first = next((n for n, row in enumerate(records) if any(id_in(cell) for cell in row)), len(records))
    header = header_of(records[: min(first, LEADING_MAX)], column=column)
    names = records[header] if header is not None else ()
    if column is not None:
        index = _asked_for(column, names, width=max(map(len, records), default=0))
    else:
        index = _best(counts, names, id_type=id_type)
        refuse_other_type(names[index] if index < len(names) else "", id_type=id_type)
    return Layout(index, label_of(names, index), header)


def _asked_for(column: str, names: Sequence[str], *, width: int) -> int:
    wanted = bare(column).casefold()
    places = [index for index, name in enumerate(names) if wanted and bare(name).casefold() == wanted]
    if len(places) > 1:
        raise ambiguous_column([f"column {index + 1}" for index in places])
    if places:
        return places[0]
    if re.fullmatch(rf"[0-9]{{1,{_NUMBER_MAX}}}", wanted) and 0 < int(wanted) <= width:
        return int(wanted) - 1
    raise no_such_column()


def _best(counts: Counter[int], names: Sequence[str], *, id_type: IdType) -> int:
    ranks = {index: _rank(name, id_type) for index, name in enumerate(names)}
    # A column called RSID is the one that is meant, even when it is sparse or holds something else.
    likely = {index: rank for index, rank in ranks.items() if rank >= _WORD or (rank and counts[index])}
    best = [index for index, rank in likely.items() if rank == max(likely.values())]
    if not best:
        most = max(counts.values(), default=0)
        best = [index for index, count in sorted(counts.items()) if 2 * count >= most]
    if len(best) > 1:
        raise ambiguous_column([label_of(names, index) for index in best])
    return best[0] if best else 0


def _rank(name: str, id_type: IdType) -> int:
    words = re.findall(r"[a-z0-9]+", name.casefold())
    joined = "".join(words)
    if joined in _WORDS[id_type]:
        return _EXACT
    if not _WORDS[id_type].isdisjoint(words):
        return _WORD
    return _LOOSE if joined.endswith(_LOOSE_NAMES[id_type]) else 0


def _known(name: str) -> bool:
    return any(_rank(name, id_type) for id_type in IdType)
