"""What the demo shows: everything comes from the server's answers."""

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

from recontact_mcp.cli.bars import counting_bar
from recontact_mcp.cli.check import dropped_table
from recontact_mcp.cli.console import titled


@dataclass(slots=True)
class Screen:
    """The demo's pages: numbered steps with their times, panels, bars, and a summary."""

    console: Console
    clock: Callable[[], float]
    steps: list[tuple[str, float]] = field(default_factory=list[tuple[str, float]])

    @contextmanager
    def step(self, title: str) -> Generator[None]:
        """Head one step, and note how long it took."""
        self.console.print()
        self.console.rule(f"[bold]{len(self.steps) + 1}  {escape(title)}[/]", align="left", style="dim")
        begun = self.clock()
        yield
        self.steps.append((title, self.clock() - begun))

    def say(self, text: str, *, style: str | None = None) -> None:
        """Write a sentence, indented under its step."""
        self.console.print(Padding(text if style is None else f"[{style}]{text}[/]", (0, 0, 0, 3), expand=False))

    def call(self, tool: str, arguments: str) -> None:
        """Show a call as the client makes it."""
        self.say(f"[cyan]{tool}[/]({escape(arguments)})")

    def facts(self, facts: Mapping[str, object]) -> None:
        """Show named facts of an answer."""
        table = Table.grid(padding=(0, 2))
        table.add_column(no_wrap=True)
        # Folded, never cut: an id that is cut cannot be copied.
        table.add_column(overflow="fold")
        for name, value in facts.items():
            table.add_row(f"[dim]{name}[/]", escape(str(value)))
        self.console.print(Padding(table, (0, 0, 0, 3), expand=False))

    def left_out(self, dropped: Sequence[Mapping[str, Any]]) -> None:
        """Show which lines of a file were not sent, and why."""
        rows = ((line["kind"], line["count"], line["lines"]) for line in dropped)
        self.console.print(Padding(dropped_table(rows), (1, 0, 0, 3), expand=False))

    def refusal(self, error: Mapping[str, Any]) -> None:
        """Show an error as the client gets it."""
        body = Group(
            escape(str(error["message"])),
            f"[dim]changed[/] {error['changed']}   [dim]safe to repeat[/] {'yes' if error['safe_to_repeat'] else 'no'}",
            f"[dim]next[/] {escape(str(error['next_step']))}",
        )
        self._panel(body, title=f"refused: {error['code']}", style="yellow")

    def question(self, message: str) -> None:
        """Show what the server asks a person."""
        self._panel(escape(message), title="the server asks a person", style="magenta")

    def good(self, text: str) -> None:
        """Say what a step proved."""
        self.say(f"[green]ok[/]  {escape(text)}")

    def bar(self, label: str, total: int) -> AbstractContextManager[Callable[[int], None]]:
        """Show how far a job is; yields a function that is told how much is done."""
        return counting_bar(self.console, label, total, indent=3)

    def summary(self, results: Mapping[str, str]) -> None:
        """Close with what was proved, step by step, and the times."""
        table = titled("What happened", "Step", "Seconds")
        table.columns[1].justify = "right"
        for number, (title, seconds) in enumerate(self.steps, start=1):
            table.add_row(f"{number}  {escape(title)}", f"{seconds:.1f}")
        table.add_section()
        table.add_row("In all", f"{sum(seconds for _, seconds in self.steps):.1f}", style="bold")
        self.console.print()
        self.console.print(table)
        self.facts(results)

    def _panel(self, body: str | Group, *, title: str, style: str) -> None:
        self.console.print(
            Padding(Panel(body, title=title, title_align="left", border_style=style), (0, 0, 0, 3), expand=False)
        )
