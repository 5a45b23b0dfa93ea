"""The tickets of a ledger in an SQL database."""

from collections.abc import Sequence
from datetime import datetime

from recontact_tools.ledger import tickets
from recontact_tools.ledger.database import Connection, Database
from recontact_tools.ledger.ticket_interface import Ticket
from recontact_tools.models import TargetGroup


class SqlTickets:
    """See `Tickets`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def issue(self, ticket: Ticket, *, handle_hash: str, url_hash: str) -> None:
        """See `Tickets.issue`."""
        await self._database.write(lambda connection: tickets.issue(connection, ticket, handle_hash, url_hash))

    async def awaiting(self, url_hash: str, *, now: datetime) -> Ticket | None:
        """See `Tickets.awaiting`."""
        return await self._database.read(lambda connection: tickets.awaiting(connection, url_hash, now))

    async def addressed(self, url_hash: str) -> Ticket | None:
        """See `Tickets.addressed`."""
        return await self._database.read(lambda connection: tickets.addressed(connection, url_hash))

    async def fill(self, ticket_id: str, pieces: Sequence[bytes], *, ids: int, now: datetime) -> bool:
        """See `Tickets.fill`."""
        return await self._database.write(lambda connection: tickets.fill(connection, ticket_id, pieces, ids, now))

    async def find(self, handle_hash: str, *, principal: str, group: TargetGroup, now: datetime) -> Ticket | None:
        """See `Tickets.find`."""

        def read(connection: Connection) -> Ticket | None:
            return tickets.find(connection, handle_hash, principal, group, now)

        found = await self._database.read(read)
        if found is None or found.used_by is None:
            return found
        await self._database.write(lambda connection: tickets.let_go(connection, found.ticket_id, now))
        return await self._database.read(read)

    async def prolong(self, ticket_id: str, *, until: datetime, now: datetime) -> bool:
        """See `Tickets.prolong`."""
        return await self._database.write(lambda connection: tickets.prolong(connection, ticket_id, until, now))

    async def sealed(self, ticket_id: str) -> tuple[bytes, ...]:
        """See `Tickets.sealed`."""
        return await self._database.read_in_thread(lambda connection: tickets.sealed(connection, ticket_id))

    async def empty(self, ticket_id: str, *, now: datetime) -> None:
        """See `Tickets.empty`."""
        await self._database.write(lambda connection: tickets.empty(connection, ticket_id, now), scrubs=True)

    async def expire(self, *, now: datetime) -> int:
        """See `Tickets.expire`."""
        if not await self._database.read(lambda connection: tickets.is_due(connection, now)):
            return 0
        return await self._database.write(lambda connection: tickets.expire(connection, now), scrubs=True)
