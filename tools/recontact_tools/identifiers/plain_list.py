"""Reading a list: one id a line, or several, among lines that are something else."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from recontact_tools.identifiers.cells import DELIMITERS, ids_in, kind_of
from recontact_tools.identifiers.clean import not_canonical, odd_lines, only_ids, read_clean
from recontact_tools.identifiers.columns import LEADING_MAX, header_of
from recontact_tools.identifiers.lines import decoded, first_lines, line_at, sample_of
from recontact_tools.identifiers.scan import Scan, distinct
from recontact_tools.identifiers.tally import Tally

_QUOTED_LEAST = 0.05  # ours: where fewer lines are quoted, a closer look at those is the faster way


@dataclass(slots=True)
class _Lines:
    """The ids of a list as they are collected, and what tells a list from a table.

    *numbers* holds line numbers in runs: most are never looked at.
    """

    ids: list[bytes] = field(default_factory=list[bytes])
    numbers: list[Sequence[int]] = field(default_factory=list[Sequence[int]])
    tally: Tally = field(default_factory=Tally)
    widths: set[int] = field(default_factory=set[int])
    mixed: list[int] = field(default_factory=list[int])

    def add_canonical(self, lines: list[bytes], *, start: int) -> None:
        """Add lines that are one id each; *start* is the index of the first."""
        if lines:
            self.widths.add(1)
            self.ids.extend(lines)
            self.numbers.append(range(start + 1, start + 1 + len(lines)))

    def add_odd(self, text: str, *, number: int) -> None:
        """Add a line that needs a closer look."""
        ids, foreign = ids_in(text)
        if ids and foreign:
            self.mixed.append(number)
        elif ids:
            self.widths.add(len(ids))
            self.ids.extend(ids)
            self.numbers.append((number,) * len(ids))
        else:
            self.tally.add(kind_of(text), number)


def read_list(text: bytes) -> Scan | None:
    """Read a file as a list; None when it is a table.

    *text* has LF line ends, the last line included.
    """
    header = _header(text)
    sample = sample_of(text, lines=text.count(b"\n"))
    if _is_table(sample) or (header and any(mark in header[1] for mark in DELIMITERS)):
        return None
    often_quoted = _QUOTED_LEAST * len(sample) < sum('"' in line for line in sample)
    bare = _without_quotes_around(text) if often_quoted else text
    return read_clean(bare) or _read_lines(text, bare.lower().split(b"\n"), header)


def _read_lines(text: bytes, lines: list[bytes], header: tuple[int, str] | None) -> Scan | None:
    lines.pop()
    header_index, name = header or (None, None)
    found = _sorted_out(lines, odd_lines(lines), header_index=header_index)
    sent = distinct(found.ids)
    # Lines of the right length were taken at their word: the whole of them is checked at once, here.
    if found.ids and not only_ids(sent[0]):
        found = _sorted_out(lines, not_canonical(lines), header_index=header_index)
        sent = distinct(found.ids)
    if _is_table_after_all(found, text, header_index=header_index):
        return None
    for number in found.mixed:
        found.tally.add("malformed", number)
    numbers = chain.from_iterable(found.numbers)
    return Scan(found.ids, numbers, lines=len(lines), sent=sent, tally=found.tally, header=name)


def _without_quotes_around(text: bytes) -> bytes:
    """Take a quotation mark off both ends of every line: around an id or among other words it means nothing."""
    return text.removeprefix(b'"').replace(b'\n"', b"\n").replace(b'"\n', b"\n")


def _is_table_after_all(found: _Lines, text: bytes, *, header_index: int | None) -> bool:
    if found.mixed and found.widths <= {1}:
        return True
    return header_index is None and _is_rectangle(found, text)


def _sorted_out(lines: list[bytes], odd: Iterable[int], *, header_index: int | None) -> _Lines:
    found = _Lines()
    start = 0
    for index in odd:
        found.add_canonical(lines[start:index], start=start)
        start = index + 1
        if index == header_index:
            found.tally.add("header", start)
        else:
            found.add_odd(decoded(lines[index]), number=start)
    found.add_canonical(lines[start:], start=start)
    return found


def _header(text: bytes) -> tuple[int, str] | None:
    leading: list[str] = []
    for cell in first_lines(text, LEADING_MAX):
        if ids_in(cell)[0]:
            break
        leading.append(cell)
    place = header_of([[cell] for cell in leading])
    return None if place is None else (place, leading[place])


def _is_table(sample: list[str]) -> bool:
    """Whether lines hold one id beside other things, and none holds several ids and nothing else."""
    looks = [ids_in(line) for line in sample]
    several = any(len(ids) > 1 and not foreign for ids, foreign in looks)
    return not several and any(ids and foreign for ids, foreign in looks)


def _is_rectangle(found: _Lines, text: bytes) -> bool:
    """Whether every line has the same number of ids, two or more: two columns, or a wrapped list?

    A list wrapped into lines of equal length ends its lines with the comma; columns do not.
    """
    several = len(found.widths) == 1 and 1 not in found.widths and len(found.numbers) > 1
    if not several:
        return False
    line = line_at(text, found.numbers[0][0]).strip(" ")
    return any(mark in line for mark in DELIMITERS) and not line.endswith(tuple(DELIMITERS))
