"""Counting what is dropped while a file is read."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from recontact_tools.identifiers.respondent_file import KINDS, LINE_NUMBERS_MAX, Dropped, Kind


@dataclass(slots=True)
class Tally:
    """Counts and first line numbers of dropped lines, by kind."""

    counts: dict[Kind, int] = field(default_factory=dict[Kind, int])
    numbers: dict[Kind, list[int]] = field(default_factory=dict[Kind, list[int]])

    def add(self, kind: Kind, line: int) -> None:
        """Count one line, by its number from 1."""
        self.counts[kind] = self.counts.get(kind, 0) + 1
        numbers = self.numbers.setdefault(kind, [])
        if len(numbers) < LINE_NUMBERS_MAX:
            numbers.append(line)

    def add_all(self, kind: Kind, *, count: int, first_lines: Iterable[int]) -> None:
        """Count many lines at once; *first_lines* are the numbers to show."""
        self.counts[kind] = self.counts.get(kind, 0) + count
        self.numbers[kind] = [*self.numbers.get(kind, []), *first_lines][:LINE_NUMBERS_MAX]

    def count(self, *kinds: Kind) -> int:
        """Count the lines of these kinds, of all kinds when none is named."""
        return sum(self.counts.get(kind, 0) for kind in kinds or KINDS)

    def dropped(self) -> tuple[Dropped, ...]:
        """Return the kinds that occurred, in a fixed order."""
        return tuple(
            Dropped(kind, self.counts[kind], tuple(self.numbers[kind])) for kind in KINDS if kind in self.counts
        )
