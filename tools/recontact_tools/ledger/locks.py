"""Locks that PostgreSQL holds for this process, by name, for as long as its connection lasts: who does what for all."""

import threading
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import TypeVar

import psycopg
from anyio import to_thread

from recontact_tools.ledger.postgres import Session, anticipating_postgres, connected, lock_key

_Result = TypeVar("_Result")


class SessionLocks:
    """Named locks among all processes of a schema; the server frees them when the process or its connection dies.

    One connection of its own holds them all. When it is lost, they are: whoever goes on holding a lock takes it again
    before each thing that it does under it. A machine that dies without a word is noticed in some ten seconds.
    """

    def __init__(self, url: str, schema: str) -> None:
        self._url = url
        self._schema = schema
        self._guard = threading.Lock()
        self._session: Session | None = None
        self._since = 0.0
        self._held = set[str]()

    async def take(self, name: str) -> bool:
        """Take a lock, unless another process has it; true as well, and asked of the server, if this one has it.

        Raises:
            LedgerUnavailable: the database did not answer.
        """
        return await to_thread.run_sync(self._guarded, lambda: self._take(name))

    async def free(self, name: str) -> None:
        """Free a lock; one that is not held, or was lost with its connection, is free already."""
        await to_thread.run_sync(self._guarded, lambda: self._free(name))

    def held_seconds(self) -> float:
        """Return for how long the connection that holds the locks has lasted; 0 where there is none."""
        return monotonic() - self._since if self._session is not None else 0.0

    async def aclose(self) -> None:
        """Free every lock."""
        await to_thread.run_sync(self._guarded, self._hang_up)

    def _guarded(self, act: Callable[[], _Result]) -> _Result:
        with self._guard, anticipating_postgres():
            return act()

    def _take(self, name: str) -> bool:
        try:
            if name in self._held:
                self._connected().execute("SELECT 1")
                return True
            return self._try(name)
        except psycopg.OperationalError:  # lost, perhaps long ago; a new connection tells whether the server is there
            self._hang_up()
            return self._try(name)

    def _try(self, name: str) -> bool:
        asked = self._connected().execute("SELECT pg_try_advisory_lock(%s) AS won", (self._key(name),)).fetchone()
        won = asked is not None and bool(asked["won"])
        if won:
            self._held.add(name)
        return won

    def _free(self, name: str) -> None:
        if name not in self._held or self._session is None:
            return
        self._held.discard(name)
        try:
            self._session.execute("SELECT pg_advisory_unlock(%s)", (self._key(name),))
        except psycopg.Error:
            self._hang_up()

    def _connected(self) -> Session:
        if self._session is None:
            self._session = connected(self._url, self._schema)
            self._since = monotonic()
        return self._session

    def _hang_up(self) -> None:
        session, self._session = self._session, None
        self._held.clear()
        if session is not None:
            with suppress(psycopg.Error):
                session.close()

    def _key(self, name: str) -> int:
        return lock_key("recontact seat", self._schema, name)
