"""Replicas on a database of their own."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import TypeAlias

import anyio
import pytest
from replicas import Fleet, fleet_on

# ours: far beyond any run on a busy machine, and below the runner's own limit.
PATIENCE = 150.0

Fleeting: TypeAlias = Callable[..., AbstractAsyncContextManager[Fleet]]


@pytest.fixture
def fleeting(tmp_path: Path, database_url: str) -> Fleeting:
    """Serve the API at a pace, 0 being full speed, and have replicas started before it."""

    @asynccontextmanager
    async def served(pace: str = "0", *, patience: float = PATIENCE) -> AsyncGenerator[Fleet]:
        with anyio.fail_after(patience):
            async with fleet_on(database_url, tmp_path, pace=pace) as fleet:
                yield fleet

    return served
