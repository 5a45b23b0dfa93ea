"""The lifespan of a server: nothing is opened before the first request that needs it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Protocol

import anyio
import anyio.abc
from mcp.shared.subscriptions import ResourceUpdated

from recontact_mcp import consent
from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.access_source import callers_for
from recontact_mcp.decided import can_sign_in, decisions_of, policy_of, rules_of, seal_of
from recontact_mcp.storage import LEDGER_FILE
from recontact_mcp.ways import gateway_for
from recontact_tools.approving import Where
from recontact_tools.ending import Ending
from recontact_tools.errors import Unreachable
from recontact_tools.observing import Several
from recontact_tools.runtime import Clock, Runtime
from recontact_tools.watched import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable

    from mcp.server.mcpserver import Context, Elicit
    from mcp.server.subscriptions import SubscriptionBus

    from recontact_mcp.access import Credentials
    from recontact_mcp.callers import Caller
    from recontact_mcp.settings import Settings
    from recontact_mcp.tenants import Tenants
    from recontact_tools.deciding import Decisions
    from recontact_tools.desk import Mandate
    from recontact_tools.followers import Followers
    from recontact_tools.gateway import Gateway
    from recontact_tools.injected import Confirmation, Lifespan, Unanswered
    from recontact_tools.ledger import Approval, Ledger
    from recontact_tools.observing import Observer
    from recontact_tools.plans import Question
    from recontact_tools.relay import Relay

# ours: what a dead process left is resumed even if nobody calls a tool, but never by a probe that only lists.
WAKE_AFTER_SECONDS = 5.0


def new_ulid() -> str:
    """Return a fresh ULID."""
    from ulid import ULID

    return str(ULID())


class Pages(Protocol):
    """Where a person is shown what they are asked about a plan."""

    async def show(self, approval: Approval) -> bool:
        """Show it; tell whether anybody can see it."""
        ...


@dataclass(frozen=True, slots=True)
class Effects:
    """Where the outside world enters: time, ids, the way to the API and the ledger (None: by the settings).

    *pages* opens what shows people the plans they are to decide about, when the first one awaits them; None: nothing.
    """

    clock: Clock = field(default_factory=Clock)
    new_id: Callable[[], str] = new_ulid
    gateway: Callable[[Settings], AbstractAsyncContextManager[Gateway]] | None = None
    ledger: Callable[[Settings], Awaitable[Ledger]] | None = None
    observers: tuple[Observer, ...] = ()
    pages: Callable[[Callable[[], Awaitable[Decisions]]], AbstractAsyncContextManager[Pages]] | None = None


class Opening:
    """What one server holds; it opens on the first request that needs it and closes with the server."""

    def __init__(
        self,
        settings: Settings,
        effects: Effects,
        *,
        bus: SubscriptionBus,
        local_files: bool,
        approve_url: str | None = None,
    ) -> None:
        self._settings = settings
        self._effects = effects
        self._bus = bus
        self._local_files = local_files
        self._approve_url = approve_url
        self._pages: Pages | None = None
        self._tasks: anyio.abc.TaskGroup
        self._lock = anyio.Lock()
        self._closing = anyio.Event()
        self._runtime: Runtime | None = None
        self._callers = callers_for(settings, policy_of(settings), asked_over_http=not local_files)
        self._tenants: Tenants
        self.watched = Watched()
        self.ending = Ending()
        self.executes: Callable[[], bool] = bool  # whether this process brings jobs to their end: not yet
        self._relay: Relay
        self._followers: Followers

    @property
    def on_database(self) -> bool:
        """Whether everything is kept in PostgreSQL, which others share."""
        return self._settings.database_url is not None

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Opening]:
        """Hold open what gets opened, until the server stops."""
        async with anyio.create_task_group() as tasks:
            self._tasks, self._closing, self._runtime = tasks, anyio.Event(), None
            waking = anyio.CancelScope()
            self._tasks.start_soon(self._wake_later, waking)
            try:
                yield self
            finally:
                waking.cancel()
                self._closing.set()

    def caller(self) -> Caller:
        """Return who makes the present request.

        Raises:
            NotAllowed: Nobody that is known here.
        """
        return self._callers.current()

    async def runtime(self) -> Runtime:
        """Return what operations work with for whoever makes the present request, opening it on the first call.

        Raises:
            NotAllowed: Nobody that is known here makes it.
            Unreachable: The data directory, or the database, cannot be used; the next call tries again.
        """
        caller = self._callers.current()
        await self._shared()
        return await self._tenants.runtime(caller)

    async def decisions(self) -> Decisions:
        """Return where people decide about plans outside their clients, whoever made the present request.

        Raises:
            Unreachable: As for `runtime`.
        """
        runtime = await self._shared()
        return decisions_of(self._settings, runtime.ledger, runtime.clock, self._approve_url, runtime.publish)

    async def receiving(self) -> Runtime:
        """Return what takes files in, whoever sends them: to know a ticket's address is what lets them.

        Raises:
            Unreachable: As for `runtime`.
        """
        return await self._shared()

    async def _shared(self) -> Runtime:
        if self._runtime is not None:
            return self._runtime
        async with self._lock:
            return await self._opened()

    async def following(self) -> tuple[Runtime, Relay, Followers]:
        """Return what `runtime` does, with what tells of changes and what follows jobs that were started elsewhere.

        Raises:
            Unreachable: As for `runtime`.
        """
        runtime = await self.runtime()
        return runtime, self._relay, self._followers

    async def _opened(self) -> Runtime:
        runtime = self._runtime or await self._open()
        self._runtime = runtime
        return runtime

    async def unready(self) -> str | None:
        """Say why this server should not be sent requests now, in our own words; None where it is ready."""
        from recontact_mcp.data_directory import anticipating_faults
        from recontact_tools.shared_key import check_shared_key

        try:
            with anticipating_faults(database=self.on_database):
                runtime = await self._shared()
                await runtime.ledger.updates.latest()
                if self.on_database:
                    await check_shared_key(runtime.ledger, runtime.seal)
        except Unreachable as refusal:
            return refusal.message
        return None

    def can_ask(self, ctx: Context[Lifespan]) -> bool:
        """Tell whether the client can put a question to a person."""
        return consent.can_ask(ctx.client_capabilities)

    async def where_to_approve(self, approval: Approval) -> Where:
        """Make ready the place where a person decides about a plan, and say where it is."""
        pages = await self._pages_open()
        opened = pages is not None and await pages.show(approval)
        settings, url = self._settings, self._approve_url
        closed = url is not None and settings.auth_issuer is not None and not can_sign_in(settings)
        return Where(url, opened=opened, two_person=settings.approval_two_person, closed=closed)

    async def _pages_open(self) -> Pages | None:
        """Return what shows plans, opened once; None where there is none, or no port for it."""
        async with self._lock:
            if self._pages is None and self._effects.pages is not None:
                with suppress(OSError):
                    self._pages = await self._tasks.start(self._hold_pages, self._effects.pages(self.decisions))
        return self._pages

    async def _hold_pages(
        self, way: AbstractAsyncContextManager[Pages], *, task_status: anyio.abc.TaskStatus[Pages]
    ) -> None:
        async with way as pages:
            task_status.started(pages)
            await self._closing.wait()

    async def ask(self, ctx: Context[Lifespan], question: Question) -> Elicit[Confirmation] | Confirmation | Unanswered:
        """Put a question to a person in the way the client's protocol era has for it."""
        return await consent.ask(ctx, question, seconds=self._settings.confirm_seconds)

    async def _wake_later(self, scope: anyio.CancelScope) -> None:
        with scope:
            await self._effects.clock.sleep(WAKE_AFTER_SECONDS)
            # A directory that cannot be used is in the log by then, and is told to whoever calls a tool.
            with suppress(Unreachable, OSError):
                if self.on_database or (self._settings.home / LEDGER_FILE).exists():
                    await self._shared()

    async def _open(self) -> Runtime:
        from recontact_mcp.data_directory import anticipating_faults

        with anticipating_faults(database=self.on_database):
            runtime: Runtime = await self._tasks.start(self._hold)
        return runtime

    async def _hold(self, *, task_status: anyio.abc.TaskStatus[Runtime]) -> None:
        """Open everything, and close it in the task that opened it."""
        from recontact_mcp.data_directory import forget_staged, resume
        from recontact_mcp.storage import opened_ledger, opened_storage
        from recontact_mcp.tenants import Tenants
        from recontact_tools.desk import Desk
        from recontact_tools.engine import DurableEngine
        from recontact_tools.followers import Followers
        from recontact_tools.relay import Relay

        settings, clock, rules = (
            self._settings,
            self._effects.clock,
            rules_of(self._settings, local_files=self._local_files, url=self._approve_url),
        )
        way = self._effects.gateway or gateway_for
        ended = anyio.Event()
        async with self._watched(way(settings)) as gateway, anyio.create_task_group() as ways:
            storage = await opened_storage(settings, self._effects.ledger or opened_ledger)
            ledger = storage.ledger
            relay = Relay(ledger, origin=token_hex(8), tell=self._tell, watched=self.watched)
            seal = seal_of(settings)
            desk = Desk(
                gateway, ledger, clock, rules.pace, rules.policy, seal, rules.snapshots_kept, publish=relay.publish
            )
            desk.mandates = self._mandate
            desk.observer = Several(self._effects.observers)
            background = anyio.create_task_group()
            engine = DurableEngine(storage.crew(desk, background), desk, background)
            self.executes = lambda: engine.executes
            new_id, publish = self._effects.new_id, relay.publish
            runtime = Runtime(
                rules,
                gateway,
                ledger,
                engine,
                clock,
                new_id,
                LOCAL_PRINCIPAL,
                seal,
                publish=publish,
                ending=self.ending,
            )
            self._relay, self._followers = (
                relay,
                Followers(storage.following, runtime, self.watched, runtime_for=self._runtime_for),
            )
            try:
                async with background:
                    self._tenants = Tenants(runtime, self._callers, way=self._way_of, tasks=ways, closing=ended)
                    if not settings.read_only:  # it changes nothing, nor for others
                        background.start_soon(partial(resume, engine, database=self.on_database))
                    background.start_soon(relay.run)
                    background.start_soon(self._followers.run)
                    background.start_soon(partial(forget_staged, ledger, clock, database=self.on_database))
                    task_status.started(runtime)
                    await self._closing.wait()
                    background.cancel_scope.cancel()
            finally:
                # Not before the background has ended: a thread of it may still be reading the ledger.
                with anyio.CancelScope(shield=True):
                    await engine.aclose()
                    await storage.aclose()
                ended.set()  # only now nobody uses the further ways any more

    async def _mandate(self, principal: str, account_id: int, claims: str | None) -> Mandate:
        return await self._tenants.mandate(principal, account_id, claims)

    async def _runtime_for(self, account_id: int) -> Runtime:
        return await self._tenants.runtime_for(account_id)

    def _way_of(self, credentials: Credentials) -> AbstractAsyncContextManager[Gateway]:
        """Return the way to the API with other credentials than those of the settings."""
        from recontact_mcp.secret_source import gateway_as, settings_as

        if self._effects.gateway is not None:
            return self._watched(self._effects.gateway(settings_as(self._settings, credentials)))
        return self._watched(gateway_as(self._settings, credentials))

    @asynccontextmanager
    async def _watched(self, way: AbstractAsyncContextManager[Gateway]) -> AsyncGenerator[Gateway]:
        """Open a gateway, and let it be watched by whoever is to."""
        async with way as gateway:
            if self._effects.observers:
                gateway.be_watched(Several(self._effects.observers))
            yield gateway

    async def _tell(self, *uris: str) -> None:
        for uri in uris:
            await self._bus.publish(ResourceUpdated(uri=uri))
