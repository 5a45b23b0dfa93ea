"""Timing two things in one run: alternating, warmed up; medians."""

import gc
import time
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from bench.figures import as_time

WARM_UPS = 20  # ours: what is imported, compiled or cached on first use is none of the comparison's business


@dataclass(frozen=True, slots=True)
class Pair:
    """The seconds of two things measured side by side, round by round."""

    ours: Sequence[float]
    other: Sequence[float]

    @property
    def ratio(self) -> float:
        """How many times as long ours takes, in the median round: what else the machine does hits both."""
        return median(mine / its for mine, its in zip(self.ours, self.other, strict=True))

    @property
    def detail(self) -> str:
        """Both medians, for whoever wonders what the ratio is made of."""
        return f"{as_time(median(self.ours))} against {as_time(median(self.other))}"


@contextmanager
def undisturbed() -> Generator[None]:
    """Let the garbage collector look at nothing but what the block makes itself, as in a fresh process.

    It stays on: without it dead cycles pile up, and every allocation meets cold memory.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    """Time one run."""
    start = time.perf_counter()
    await work()
    return time.perf_counter() - start


async def side_by_side(
    ours: Callable[[], Awaitable[object]],
    other: Callable[[], Awaitable[object]],
    *,
    rounds: int,
    warm_ups: int = WARM_UPS,
) -> Pair:
    """Alternate, so that a noisy second hits both; the first of each round takes turns, too."""
    for _ in range(warm_ups):
        await ours()
        await other()
    times: tuple[list[float], list[float]] = ([], [])
    with undisturbed():
        for turn in range(rounds):
            for which in (turn % 2, 1 - turn % 2):
                times[which].append(await seconds((ours, other)[which]))
    return Pair(*times)
