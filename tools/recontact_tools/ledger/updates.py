"""What changed, told between the processes of one data directory; `updates` is an attribute of the ledger."""

from collections.abc import Sequence

from recontact_tools.ledger.database import Connection, Database
from recontact_tools.ledger.following import News

# ours: a thousand jobs that all end within one look of a sibling; who is further behind is told to look at everything.
KEPT = 4_096


class SqlUpdates:
    """The `Updates` in the ledger's file: reading nothing new takes some 10 us."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def announce(self, uris: Sequence[str], *, origin: str) -> None:
        """See `Updates.announce`."""

        def write(connection: Connection) -> None:
            connection.executemany("INSERT INTO updates (origin, uri) VALUES (?, ?)", [(origin, uri) for uri in uris])
            if connection.dialect.announce is not None:
                connection.execute(connection.dialect.announce, (origin,))
            connection.execute("DELETE FROM updates WHERE position <= (SELECT max(position) FROM updates) - ?", (KEPT,))

        await self._database.write(write)

    async def heard(self, seconds: float) -> None:
        """See `Updates.heard`."""
        await self._database.heard(seconds)

    async def latest(self) -> int:
        """See `Updates.latest`."""
        return await self._database.read(_last)

    async def since(self, position: int, *, origin: str) -> News:
        """See `Updates.since`."""

        def read(connection: Connection) -> News:
            last = _last(connection)
            if last <= position:
                return News(position, (), missed=False)
            first = connection.execute("SELECT min(position) AS first FROM updates").fetchone()["first"]
            rows = connection.execute(
                "SELECT uri FROM updates WHERE position > ? AND position <= ? AND origin <> ? ORDER BY position",
                (position, last, origin),
            )
            return News(last, tuple(dict.fromkeys(row["uri"] for row in rows)), missed=first > position + 1)

        return await self._database.read(read)


def _last(connection: Connection) -> int:
    last: int = connection.execute("SELECT coalesce(max(position), 0) AS last FROM updates").fetchone()["last"]
    return last
