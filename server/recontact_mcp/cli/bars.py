"""Bars of what is counted: one that moves at a terminal, and a line at each quarter elsewhere."""

from collections.abc import Callable, Generator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

# ours: without a terminal a bar would be noise; a line at each quarter is progress.
PLAIN_STEPS = 4
BAR_WIDTH = 40


@contextmanager
def counting_bar(console: Console, label: str, total: int, *, indent: int = 0) -> Generator[Callable[[int], None]]:
    """Show how far something is; yields a function that is told how much is done."""
    begin = " " * indent
    if not console.is_terminal:
        yield _lines(lambda done: console.print(f"{begin}{escape(label)}  {done:,}/{total:,}"), total)
        return
    columns = (
        TextColumn(f"{begin}{{task.description}}"),
        BarColumn(bar_width=BAR_WIDTH, complete_style="green", finished_style="green"),
        TextColumn("{task.completed:,}/{task.total:,}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(label, total=total)
        yield lambda done: progress.update(task, completed=done)


def _lines(say: Callable[[int], None], total: int) -> Callable[[int], None]:
    shown = {0}

    def tell(done: int) -> None:
        quarter = PLAIN_STEPS * done // total if total else PLAIN_STEPS
        if quarter not in shown:
            shown.add(quarter)
            say(done)

    return tell
