"""`recontact-mcp jobs --watch`: the table again and again, from the ledger that the servers write."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
import typer
from rich.console import Console
from rich.live import Live

from recontact_mcp.cli.console import person
from recontact_mcp.cli.jobs_screen import as_json, as_object, measured_of, table_of, told
from recontact_mcp.history import Line
from recontact_mcp.settings import Settings
from recontact_mcp.ways import gateway_for
from recontact_tools.errors import RecontactError
from recontact_tools.gateway import Gateway
from recontact_tools.ledger import Ledger
from recontact_tools.models import TargetGroup

# ours: often enough to look alive, some 1 ms of work each.
LOOK_SECONDS = 0.5
# ours: Cint advises restraint, and a job there takes minutes; the embedded service is in this process.
ASK_SECONDS = 15.0
# ours: without a terminal, a line at each quarter is progress, and more is noise.
QUARTERS = 4


@dataclass(slots=True)
class Watch:
    """One watching: *read* reads the lines, *asks* is whether the API is asked for counts of stored IDs."""

    settings: Settings
    read: Callable[[Ledger], Awaitable[tuple[Line, ...]]]
    asks: bool
    as_json: bool
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    lines: tuple[Line, ...] = ()
    counts: dict[TargetGroup, int] = field(default_factory=dict[TargetGroup, int])
    _told: set[str] = field(default_factory=set[str])

    async def run(self, ledger: Ledger) -> None:
        """Show how everything stands until nothing runs any more."""
        self.lines = await self.read(ledger)
        async with anyio.create_task_group() as tasks:
            if self.asks and self._running():
                tasks.start_soon(self._ask)
            await self._show(ledger, person())
            tasks.cancel_scope.cancel()

    async def _show(self, ledger: Ledger, console: Console) -> None:
        if self.as_json or not console.is_terminal:
            await self._each(ledger, lambda: self._tell(console))
            return
        with Live(console=console, auto_refresh=False) as live:
            await self._each(ledger, lambda: live.update(table_of(self.lines, self.counts, bars=True), refresh=True))

    async def _each(self, ledger: Ledger, show: Callable[[], None]) -> None:
        show()
        while self._running():
            await self.sleep(LOOK_SECONDS)
            self.lines = await self.read(ledger)
            show()

    def _running(self) -> frozenset[TargetGroup]:
        return frozenset(line.group for line in self.lines if line.runs)

    def _tell(self, console: Console) -> None:
        """Write a line for whatever has changed, oldest first."""
        for line in reversed(self.lines):
            change = self._state(line)
            if change in self._told:
                continue
            self._told.add(change)
            if self.as_json:
                typer.echo(as_json(line, self.counts))
            else:
                console.print(told(line, self.counts), markup=False, soft_wrap=True)

    def _state(self, line: Line) -> str:
        """Return what about a line is worth telling: not the time that is left."""
        measured = measured_of(line, self.counts)
        quarter = QUARTERS * measured.done // max(1, measured.total) if measured else None
        known = as_object(line, {}) | {"eta_seconds": None, "counted": measured and measured.what}
        return f"{known} {quarter}"

    async def _ask(self) -> None:
        """Ask for the counts again and again; what cannot be read leaves an estimate in its place."""
        pause = LOOK_SECONDS if self.settings.embedded else ASK_SECONDS
        async with gateway_for(self.settings) as gateway:
            while True:
                for group in self._running():
                    with suppress(RecontactError):
                        await self._count(gateway, group)
                await self.sleep(pause)

    async def _count(self, gateway: Gateway, group: TargetGroup) -> None:
        self.counts[group] = await gateway.get_overview(group)
