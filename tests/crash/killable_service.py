"""The service alone on a port, which dies by SIGKILL before or after a chosen call of its store.

Arguments: database (a file, or the URL of PostgreSQL), port (0 picks one), pace, and the moment as "before METHOD N"
or "after METHOD N" ("" never). Prints the port once it listens.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import anyio
import uvicorn

from recontact_service.faults import Faults
from recontact_service.requests import Parts
from recontact_service.runner import JobRunner
from recontact_service.running import RunningService, new_ulid, new_uuid4, utc_now
from recontact_service.seed import seed_defaults
from recontact_service.settings import Postgres, ServiceSettings
from recontact_service.store import Store
from recontact_service.stores import open_store
from recontact_service.tokens import Tokens

CLIENT_ID = "robot"


class FusedStore:
    """A store whose every call is a moment; at one of them this process ends."""

    def __init__(self, store: Store, moment: str) -> None:
        self._store = store
        self.limiter = store.limiter
        when, method, count = (moment or "never never 1").split()
        self._moment = (when, method)
        self._left = int(count)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._store, name)

        def call(*args: Any, **named: Any) -> Any:
            self._reach("before", name)
            result = method(*args, **named)
            self._reach("after", name)
            return result

        return call

    def _reach(self, when: str, method: str) -> None:
        if (when, method) == self._moment:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)


class Announcing(uvicorn.Server):
    """Says where it listens."""

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        print(self.servers[0].sockets[0].getsockname()[1], flush=True)  # noqa: T201 - the answer


def compose(settings: ServiceSettings, moment: str) -> RunningService:
    """Put a service together as `recontact_service.running` does, on a fused store."""
    store = cast("Store", FusedStore(open_store(settings.database, busy_seconds=settings.busy_seconds), moment))
    seed_defaults(store, now=utc_now)
    parts = Parts(
        settings=settings,
        store=store,
        runner=JobRunner(store, settings, now=utc_now, sleep=anyio.sleep),
        tokens=Tokens(store.token_key(), clients=settings.clients, seconds=settings.token_seconds, now=utc_now),
        now=utc_now,
        new_id=new_ulid,
        new_uuid=new_uuid4,
        sleep=anyio.sleep,
    )
    return RunningService(parts, Faults())


async def main(arguments: list[str]) -> None:
    """Serve until killed."""
    database, port, pace, moment = arguments
    settings = ServiceSettings(
        database=Postgres(url=database) if database.startswith("postgresql://") else Path(database),
        pace=float(pace),
        clients={CLIENT_ID: os.environ["SERVICE_SECRET"]},
        faults_endpoint=True,
        sweep_seconds=0.05,
    )
    service = compose(settings, moment)
    config = uvicorn.Config(service.app, port=int(port), lifespan="off", access_log=False, log_level="critical")
    async with anyio.create_task_group() as group:
        group.start_soon(service.parts.runner.run)
        await Announcing(config).serve()


if __name__ == "__main__":
    anyio.run(main, sys.argv[1:])
