"""Changes of resources, told to this process's clients and to the other processes on the same ledger."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from recontact_tools.ledger import LedgerFault

if TYPE_CHECKING:
    from recontact_tools.ledger import Ledger
    from recontact_tools.watched import Publish, Watched

logger = logging.getLogger(__name__)

# ours: a database tells at once, and a ring that is missed is made up for within this time; a file is read more often.
LISTEN_SECONDS = 5.0


class Relay:
    """Tells *tell* what changes, wherever it is seen; *origin* is this process's name, unlike every other one."""

    def __init__(self, ledger: Ledger, *, origin: str, tell: Publish, watched: Watched) -> None:
        self._updates = ledger.updates
        self._origin = origin
        self._tell = tell
        self._watched = watched
        self._position = 0

    async def publish(self, *uris: str) -> None:
        """Tell everybody that resources changed: own clients now, those of other processes when they listen."""
        await self._tell(*uris)
        try:
            await self._updates.announce(uris, origin=self._origin)
        except LedgerFault:
            logger.error("Other processes could not be told of a change")  # noqa: TRY400 - the ledger's faults are told once

    async def catch_up(self) -> None:
        """Go on from what was announced last: who begins to watch has not asked for anything before."""
        if not self._watched.uris:
            self._position = await self._updates.latest()

    async def run(self) -> None:
        """Tell own clients what other processes announce, for as long as somebody watches."""
        while True:
            await self._watched.some()
            await self._updates.heard(LISTEN_SECONDS)
            try:
                await self._hear()
            except LedgerFault:
                logger.error("What other processes announced could not be read")  # noqa: TRY400 - as above

    async def _hear(self) -> None:
        news = await self._updates.since(self._position, origin=self._origin)
        self._position = news.position
        watched = self._watched.uris
        told = watched if news.missed else [uri for uri in news.uris if uri in watched]
        if told:
            await self._tell(*told)
