"""What shows people the plans that await them: opened with the first one, and held until the server stops."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
import anyio.abc

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager

    from recontact_mcp.effects import Pages
    from recontact_tools.ledger import Approval


class Showing:
    """Shows plans; *way* opens where, once, and None is nowhere."""

    def __init__(self, way: Callable[[], AbstractAsyncContextManager[Pages]] | None) -> None:
        self._way = way
        self._lock = anyio.Lock()
        self._pages: Pages | None = None

    async def show(self, approval: Approval, tasks: anyio.abc.TaskGroup, closing: anyio.Event) -> bool:
        """Show a plan, and tell whether anybody can see it; what that needs is held by *tasks* until *closing*."""
        async with self._lock:
            if self._pages is None and self._way is not None:
                with suppress(OSError):  # no port for it
                    self._pages = await tasks.start(_hold, self._way(), closing)
        return self._pages is not None and await self._pages.show(approval)


async def _hold(
    way: AbstractAsyncContextManager[Pages], closing: anyio.Event, *, task_status: anyio.abc.TaskStatus[Pages]
) -> None:
    async with way as pages:
        task_status.started(pages)
        await closing.wait()
