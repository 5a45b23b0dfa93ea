"""One process of ours, without the durable engine's database: the real tools, stages and ledger, and a fuse."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import anyio
import anyio.abc
import anyio.lowlevel
from broken_network import Network
from ledger_places import Place as LedgerPlace
from virtual_time import VirtualTime

from recontact_tools import stages
from recontact_tools.desk import Desk
from recontact_tools.gateway import Connection, Gateway
from recontact_tools.ledger.sql import SqlLedger
from recontact_tools.models import TargetGroup
from recontact_tools.policy import Policy
from recontact_tools.runtime import Clock, Rules, Runtime
from recontact_tools.sealing import Seal

if TYPE_CHECKING:
    from recontact_tools.ledger import Ledger

CLIENT, SECRET = "robot", "open sesame"
SEAL, KEPT = Seal(lambda: bytes(32)), timedelta(days=30)
ANYTHING = Policy(read_only=False, accounts=None, projects=None, target_groups=None)


@dataclass
class Fuse:
    """Burns down at the n-th moment; from then on nothing of its process has any effect."""

    time: VirtualTime
    left: int | None = None
    burnt: bool = False

    async def reach(self) -> None:
        """Pass a moment, or never return from it."""
        if self.left is not None:
            self.left -= 1
            self.burnt = self.burnt or self.left < 0
        if self.burnt:
            await self.time.asleep()


class MortalLedger:
    """A ledger, or a part of one, before and after whose every call the process may die."""

    def __init__(self, ledger: object, fuse: Fuse) -> None:
        self._ledger = ledger
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._ledger, name)
        if not callable(method):
            return MortalLedger(method, self._fuse)

        async def call(*args: Any, **named: Any) -> Any:
            await self._fuse.reach()
            result: Any = await cast("Awaitable[Any]", method(*args, **named))
            await self._fuse.reach()
            return result

        return call


@dataclass
class Process:
    """One life of our server; what it does runs in *tasks*."""

    time: VirtualTime
    fuse: Fuse
    runtime: Runtime
    desk: Desk
    tasks: anyio.abc.TaskGroup
    begun: set[tuple[str, int]] = field(default_factory=set[tuple[str, int]])

    async def submit(self, intent_id: str) -> None:
        """Run the stages of an intent, as the durable engine does, once for each time that its job was found."""
        await self.fuse.reach()
        intent = await stages.recorded(self.desk, intent_id)
        if (intent_id, intent.adoptions) not in self.begun:
            self.begun.add((intent_id, intent.adoptions))
            self.begin(lambda: self._run(intent_id))

    async def _run(self, intent_id: str) -> None:
        sent = await stages.send(self.desk, intent_id)
        if sent == stages.Sent.LOST:
            sent = await stages.settle(self.desk, intent_id)
        if sent == stages.Sent.STARTED:
            await stages.follow(self.desk, intent_id)

    async def resume(self) -> None:
        """Submit what is unsettled, as the engine's watch does."""
        for intent in await self.desk.ledger.unsettled():
            await self.submit(intent.intent_id)

    def begin(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something beside everything else."""

        async def run() -> None:
            async with self.time.activity():
                await act()

        self.tasks.start_soon(run)

    async def finish(self, act: Callable[[], Awaitable[None]]) -> None:
        """Do something, letting time pass as it must, until it is done or the process has died."""
        done = anyio.Event()

        async def run() -> None:
            await act()
            done.set()

        self.begin(run)
        await anyio.lowlevel.checkpoint()  # so that it is awake
        while not (done.is_set() or self.fuse.burnt):
            await self.time.quiet()
            if not (done.is_set() or self.fuse.burnt) and not await self.time.step():
                raise AssertionError("everybody waits for something that never happens")


class _Engine:
    """The engine of a process that is made a moment later."""

    process: Process

    async def submit(self, intent_id: str) -> None:
        """Hand an intent to the process."""
        await self.process.submit(intent_id)


@dataclass
class Place:
    """Where one process after the other lives: one data directory, one network, one clock."""

    ledger_place: LedgerPlace
    network: Network
    time: VirtualTime
    group: TargetGroup
    api_version: str
    ids: Iterator[int] = field(default_factory=lambda: count(1))

    @asynccontextmanager
    async def process(self) -> AsyncGenerator[Process]:
        """Start a process, and end it without letting it do anything more."""
        fuse = Fuse(self.time)
        self.network.reach = fuse.reach
        ledger = await self.ledger_place.open()
        try:
            async with anyio.create_task_group() as tasks:
                yield self._process(fuse, ledger, tasks)
                fuse.burnt = True
                tasks.cancel_scope.cancel()
        finally:
            await ledger.aclose()

    def _process(self, fuse: Fuse, ledger: SqlLedger, tasks: anyio.abc.TaskGroup) -> Process:
        time, engine = self.time, _Engine()
        connection = Connection(
            "http://api.invalid/v1",
            "http://api.invalid/oauth/token",
            CLIENT,
            SECRET,
            api_version=self.api_version,
            circuit_failures=5,
        )
        gateway = Gateway(connection, transport=self.network, now=time.seconds, sleep=time.sleep, jitter=lambda: 0.0)
        mortal = cast("Ledger", MortalLedger(ledger, fuse))
        clock = Clock(now=time.now, sleep=time.sleep)
        runtime = Runtime(self._rules(), gateway, mortal, engine, clock, self._new_id, "ann", SEAL)
        desk = Desk(gateway, mortal, clock, pace=1.0, policy=ANYTHING, seal=SEAL, snapshots_kept=KEPT)
        engine.process = Process(time, fuse, runtime, desk, tasks)
        return engine.process

    def _rules(self) -> Rules:
        return Rules(
            policy=ANYTHING,
            snapshots_kept=KEPT,
            account_id=self.group.account_id,
            project_id=self.group.project_id,
            upload_roots=(),
            local_files=False,
            pace=1.0,
            plan_seconds=600,
            compare_pages=0,
            template_id="",
        )

    def _new_id(self) -> str:
        return f"INTENT{next(self.ids):020}"
