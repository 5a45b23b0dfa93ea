"""The lifespan of a server: nothing is opened before the first request that needs it."""

from __future__ import annotations

from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import anyio
import anyio.abc
from mcp.shared.subscriptions import ResourceUpdated

from recontact_mcp import consent
from recontact_mcp.access_source import callers_for
from recontact_mcp.decided import can_sign_in, decisions_of, policy_of, rules_of
from recontact_mcp.effects import Effects, Pages
from recontact_mcp.showing import Showing
from recontact_mcp.storage import LEDGER_FILE
from recontact_tools.approving import Where
from recontact_tools.ending import Ending
from recontact_tools.errors import Unreachable
from recontact_tools.watched import Watched

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from mcp.server.mcpserver import Context, Elicit
    from mcp.server.subscriptions import SubscriptionBus

    from recontact_mcp.callers import Caller
    from recontact_mcp.holding import Holding
    from recontact_mcp.settings import Settings
    from recontact_tools.deciding import Decisions
    from recontact_tools.followers import Followers
    from recontact_tools.injected import Confirmation, Lifespan, Unanswered
    from recontact_tools.ledger import Approval
    from recontact_tools.plans import Question
    from recontact_tools.relay import Relay
    from recontact_tools.runtime import Runtime

__all__ = ["WAKE_AFTER_SECONDS", "Effects", "Opening", "Pages"]

# ours: what a dead process left is resumed even if nobody calls a tool, but never by a probe that only lists.
WAKE_AFTER_SECONDS = 5.0


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
        self._showing = Showing(partial(effects.pages, self.decisions) if effects.pages else None)
        self._tasks: anyio.abc.TaskGroup
        self._lock = anyio.Lock()
        self._closing = anyio.Event()
        self._held: Holding | None = None
        self._callers = callers_for(settings, policy_of(settings), asked_over_http=not local_files)
        self.watched = Watched()
        self.ending = Ending()

    @property
    def on_database(self) -> bool:
        """Whether everything is kept in PostgreSQL, which others share."""
        return self._settings.database_url is not None

    def executes(self) -> bool:
        """Tell whether this process brings jobs to their end."""
        return self._held is not None and self._held.executes

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[Opening]:
        """Hold open what gets opened, until the server stops."""
        async with anyio.create_task_group() as tasks:
            self._tasks, self._closing, self._held = tasks, anyio.Event(), None
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
        held = self._held or await self._opened()
        return await held.tenants.runtime(caller)

    async def decisions(self) -> Decisions:
        """Return where people decide about plans outside their clients, whoever made the present request.

        Raises:
            Unreachable: As for `runtime`.
        """
        runtime = (await self._opened()).runtime
        decisions = decisions_of(self._settings, runtime.ledger, runtime.clock, self._approve_url, runtime.publish)
        return replace(decisions, sees=self._callers.may_see)

    async def receiving(self) -> Runtime:
        """Return what takes files in, whoever sends them: to know a ticket's address is what lets them.

        Raises:
            Unreachable: As for `runtime`.
        """
        return (await self._opened()).runtime

    async def following(self) -> tuple[Runtime, Relay, Followers]:
        """Return what `runtime` does, with what tells of changes and what follows jobs that were started elsewhere.

        Raises:
            Unreachable: As for `runtime`.
        """
        runtime, held = await self.runtime(), await self._opened()
        return runtime, held.relay, held.followers

    async def unready(self) -> str | None:
        """Say why this server should not be sent requests now, in our own words; None where it is ready."""
        from recontact_mcp.data_directory import anticipating_faults
        from recontact_tools.shared_key import check_shared_key

        try:
            with anticipating_faults(database=self.on_database):
                runtime = (await self._opened()).runtime
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
        opened = await self._showing.show(approval, self._tasks, self._closing)
        settings, url = self._settings, self._approve_url
        closed = url is not None and settings.auth_issuer is not None and not can_sign_in(settings)
        return Where(url, opened=opened, two_person=settings.approval_two_person, closed=closed)

    async def ask(self, ctx: Context[Lifespan], question: Question) -> Elicit[Confirmation] | Confirmation | Unanswered:
        """Put a question to a person in the way the client's protocol era has for it."""
        return await consent.ask(ctx, question, seconds=self._settings.confirm_seconds)

    async def _wake_later(self, scope: anyio.CancelScope) -> None:
        with scope:
            await self._effects.clock.sleep(WAKE_AFTER_SECONDS)
            # A directory that cannot be used is in the log by then, and is told to whoever calls a tool.
            with suppress(Unreachable, OSError):
                if self.on_database or (self._settings.home / LEDGER_FILE).exists():
                    await self._opened()

    async def _opened(self) -> Holding:
        """Return everything, opened by whoever comes first."""
        if self._held is not None:
            return self._held
        async with self._lock:
            return await self._open()

    async def _open(self) -> Holding:
        from recontact_mcp.data_directory import anticipating_faults

        held = self._held  # somebody may have opened it while this call waited for its turn
        if held is None:
            with anticipating_faults(database=self.on_database):
                held = self._held = await self._tasks.start(self._hold)
        return held

    async def _hold(self, *, task_status: anyio.abc.TaskStatus[Holding]) -> None:
        from recontact_mcp.holding import Holding

        rules = rules_of(self._settings, local_files=self._local_files, url=self._approve_url)
        holding = Holding(
            self._settings,
            self._effects,
            rules,
            self._callers,
            tell=self._tell,
            watched=self.watched,
            ending=self.ending,
        )
        async with holding.open() as held:
            task_status.started(held)
            await self._closing.wait()

    async def _tell(self, *uris: str) -> None:
        for uri in uris:
            await self._bus.publish(ResourceUpdated(uri=uri))
