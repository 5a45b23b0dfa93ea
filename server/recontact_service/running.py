"""Bring a service to life in this process: store, defaults, tokens and the job runner."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from uuid import uuid4

import anyio
from anyio import to_thread
from starlette.types import ASGIApp
from ulid import ULID

from recontact_service.app import create_app
from recontact_service.faults import Faults
from recontact_service.requests import Parts
from recontact_service.runner import JobRunner
from recontact_service.seed import seed_defaults
from recontact_service.settings import ServiceSettings
from recontact_service.store import Store, reading
from recontact_service.stores import open_store
from recontact_service.tokens import Tokens


def utc_now() -> datetime:
    """Read the clock."""
    return datetime.now(UTC)


def new_ulid() -> str:
    """Make a job id."""
    return str(ULID())


def new_uuid4() -> str:
    """Make an error id or a trace id."""
    return str(uuid4())


@dataclass(frozen=True)
class RunningService:
    """A service at work; mount `app` anywhere."""

    parts: Parts
    faults: Faults

    @cached_property
    def app(self) -> ASGIApp:
        """The ASGI application."""
        return create_app(self)

    @property
    def store(self) -> Store:
        """The store behind it."""
        return self.parts.store

    def issue_token(self, client_id: str) -> str:
        """Sign an access token without asking for a secret: for whoever embeds the service."""
        return self.parts.tokens.issue(client_id)

    async def advance(self) -> datetime | None:
        """Apply every step that is due now, without waiting for the runner; return when the next one is."""
        return await self.parts.runner.advance()


@asynccontextmanager
async def running(
    settings: ServiceSettings,
    *,
    now: Callable[[], datetime] = utc_now,
    new_id: Callable[[], str] = new_ulid,
    new_uuid: Callable[[], str] = new_uuid4,
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
    faults: Faults | None = None,
) -> AsyncGenerator[RunningService]:
    """Open the store, seed the defaults and run jobs until the block is left."""
    store, key = await to_thread.run_sync(partial(_open, settings, now=now))
    try:
        runner = JobRunner(store, settings, now=now, sleep=sleep)
        tokens = Tokens(key, clients=settings.clients, seconds=settings.token_seconds, now=now)
        parts = Parts(
            settings=settings,
            store=store,
            runner=runner,
            tokens=tokens,
            now=now,
            new_id=new_id,
            new_uuid=new_uuid,
            sleep=sleep,
        )
        async with anyio.create_task_group() as group:
            group.start_soon(runner.run)
            yield RunningService(parts, faults or Faults())
            group.cancel_scope.cancel()
    finally:
        with anyio.CancelScope(shield=True):
            await reading(store, store.close)


def _open(settings: ServiceSettings, *, now: Callable[[], datetime]) -> tuple[Store, bytes]:
    """Open the store with the defaults in it, and read the key that signs tokens."""
    store = open_store(settings.database, busy_seconds=settings.busy_seconds)
    try:
        seed_defaults(store, now=now)
        return store, store.token_key()
    except BaseException:
        store.close()
        raise
