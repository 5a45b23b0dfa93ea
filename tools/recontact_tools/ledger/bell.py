"""Hearing at once that another process announced something: PostgreSQL's LISTEN on a connection of its own."""

from typing import Any

import anyio
import psycopg

from recontact_tools.ledger.postgres import CONNECTING, KEEPALIVE, identifier

# ours: a server that is away is asked again soon; whoever waits looks for itself meanwhile.
RETRY_SECONDS = 1.0


class Bell:
    """Rings for every `NOTIFY` on the channel of a schema; used from one event loop, by one waiter at a time."""

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema
        self._line: psycopg.AsyncConnection[Any] | None = None  # Any: no rows are read

    async def heard(self, seconds: float) -> None:
        """Return when it rang, or after so many seconds, or at once when it hears again: it may have missed a ring."""
        try:
            if self._line is None:
                self._line = await self._connected()
                return
            async for _ring in self._line.notifies(timeout=seconds, stop_after=1):
                pass
        except psycopg.Error:
            await self.aclose()
            await anyio.sleep(min(seconds, RETRY_SECONDS))

    async def aclose(self) -> None:
        """Stop listening."""
        line, self._line = self._line, None
        if line is not None:
            await line.close()

    async def _connected(self) -> psycopg.AsyncConnection[Any]:
        line = await psycopg.AsyncConnection.connect(self._url, **CONNECTING)
        try:
            for name, value in KEEPALIVE.items():
                await line.execute("SELECT set_config(%s, %s, false)", (name, value))
            await line.execute(f"LISTEN {identifier(self._schema)}".encode())
        except BaseException:
            await line.close()
            raise
        return line
