"""What a measurement is: a number, its goal, and the words that explain it."""

from dataclasses import dataclass
from typing import TypedDict


class Row(TypedDict):
    """One line of the table, and the bare numbers for a program."""

    what: str
    measured: str
    goal: str
    met: bool
    value: float
    unit: str
    limit: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number in *unit*; *least* turns the goal from a ceiling into a floor."""

    what: str
    value: float
    unit: str
    goal: float
    detail: str = ""
    least: bool = False

    @property
    def met(self) -> bool:
        """Whether the number keeps to its goal, before any rounding."""
        return self.value >= self.goal if self.least else self.value <= self.goal

    def row(self) -> Row:
        """Return the figure as it goes into the table and the results."""
        return {
            "what": self.what,
            "measured": with_unit(shortened(self.value), self.unit) + (f" ({self.detail})" if self.detail else ""),
            "goal": f"at {'least' if self.least else 'most'} {with_unit(f'{self.goal:,g}', self.unit)}",
            "met": self.met,
            "value": self.value,
            "unit": self.unit,
            "limit": self.goal,
        }


def shortened(value: float) -> str:
    """Write a number with three or more significant digits, never more than three decimals."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}" if value >= 1 else f"{value:.3f}"


def with_unit(number: str, unit: str) -> str:
    """Write `1.3x` and `18 bytes`."""
    return f"{number}{unit}" if unit == "x" else f"{number} {unit}"


def as_time(seconds: float) -> str:
    """Write a duration in the unit that suits it."""
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1000:.1f} ms" if seconds < 0.1 else f"{seconds * 1000:.0f} ms"
