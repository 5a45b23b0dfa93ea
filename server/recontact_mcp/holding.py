"""What one server holds open between its first call and its end; imported with that call, for all of it weighs."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Self

import anyio
import anyio.abc

from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.data_directory import forget_staged, resume
from recontact_mcp.decided import seal_of
from recontact_mcp.secret_source import gateway_as, settings_as
from recontact_mcp.storage import Storage, opened_ledger, opened_storage
from recontact_mcp.tenants import Tenants
from recontact_mcp.ways import gateway_for
from recontact_tools.desk import Desk
from recontact_tools.engine import DurableEngine
from recontact_tools.followers import Followers
from recontact_tools.observing import Several
from recontact_tools.relay import Relay
from recontact_tools.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from recontact_mcp.access import Credentials
    from recontact_mcp.callers import Callers
    from recontact_mcp.effects import Effects
    from recontact_mcp.settings import Settings
    from recontact_tools.desk import Mandate
    from recontact_tools.ending import Ending
    from recontact_tools.gateway import Gateway
    from recontact_tools.runtime import Rules
    from recontact_tools.watched import Publish, Watched


class Holding:
    """The way to the API, the ledger, the engine, and all that runs beside the calls; complete while `open`.

    *tell* is told the URIs of what changed, here or in another process, of what is *watched*.
    """

    runtime: Runtime
    relay: Relay
    followers: Followers
    tenants: Tenants
    _engine: DurableEngine

    def __init__(
        self,
        settings: Settings,
        effects: Effects,
        rules: Rules,
        callers: Callers,
        *,
        tell: Publish,
        watched: Watched,
        ending: Ending,
    ) -> None:
        self._settings = settings
        self._effects = effects
        self._rules = rules
        self._callers = callers
        self._tell = tell
        self._watched = watched
        self._ending = ending

    @property
    def executes(self) -> bool:
        """Whether this process brings jobs to their end."""
        return self._engine.executes

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[Self]:
        """Open everything, and close it in the task that opened it."""
        ended = anyio.Event()
        way = self._effects.gateway or gateway_for
        async with self._observed(way(self._settings)) as gateway, anyio.create_task_group() as ways:
            storage = await opened_storage(self._settings, self._effects.ledger or opened_ledger)
            background = anyio.create_task_group()
            self._furnish(gateway, storage, background)
            try:
                async with background:
                    self.tenants = Tenants(self.runtime, self._callers, way=self._way_of, tasks=ways, closing=ended)
                    self._begin(background)
                    yield self
                    background.cancel_scope.cancel()
            finally:
                # Not before the background has ended: a thread of it may still be reading the ledger.
                with anyio.CancelScope(shield=True):
                    await self._engine.aclose()
                    await storage.aclose()
                ended.set()  # only now nobody uses the further ways any more

    def _furnish(self, gateway: Gateway, storage: Storage, background: anyio.abc.TaskGroup) -> None:
        clock, rules, ledger, seal = self._effects.clock, self._rules, storage.ledger, seal_of(self._settings)
        self.relay = Relay(ledger, origin=token_hex(8), tell=self._tell, watched=self._watched)
        publish = self.relay.publish
        desk = Desk(gateway, ledger, clock, rules.pace, rules.policy, seal, rules.snapshots_kept, publish=publish)
        desk.mandates = self._mandate
        desk.observer = Several(self._effects.observers)
        self._engine = DurableEngine(storage.crew(desk, background), desk, background)
        self.runtime = Runtime(
            rules,
            gateway,
            ledger,
            self._engine,
            clock,
            self._effects.new_id,
            LOCAL_PRINCIPAL,
            seal,
            publish=publish,
            ending=self._ending,
        )
        self.followers = Followers(storage.following, self.runtime, self._watched, runtime_for=self._runtime_for)

    def _begin(self, background: anyio.abc.TaskGroup) -> None:
        """Start what runs beside the calls."""
        database = self._settings.database_url is not None
        if not self._settings.read_only:  # it changes nothing, nor for others
            background.start_soon(partial(resume, self._engine, database=database))
        background.start_soon(self.relay.run)
        background.start_soon(self.followers.run)
        background.start_soon(partial(forget_staged, self.runtime.ledger, self.runtime.clock, database=database))

    async def _mandate(self, principal: str, account_id: int, claims: str | None) -> Mandate:
        return await self.tenants.mandate(principal, account_id, claims)

    async def _runtime_for(self, account_id: int) -> Runtime:
        return await self.tenants.runtime_for(account_id)

    def _way_of(self, credentials: Credentials) -> AbstractAsyncContextManager[Gateway]:
        """Return the way to the API with other credentials than those of the settings."""
        if self._effects.gateway is not None:
            return self._observed(self._effects.gateway(settings_as(self._settings, credentials)))
        return self._observed(gateway_as(self._settings, credentials))

    @asynccontextmanager
    async def _observed(self, way: AbstractAsyncContextManager[Gateway]) -> AsyncGenerator[Gateway]:
        """Open a gateway, and let it be watched by whoever is to."""
        async with way as gateway:
            if self._effects.observers:
                gateway.be_watched(Several(self._effects.observers))
            yield gateway
