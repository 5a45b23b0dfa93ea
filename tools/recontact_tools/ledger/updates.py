"""What changed, told between the processes of one data directory; `updates` is an attribute of the ledger."""

from collections.abc import Sequence
from sqlite3 import Connection

from recontact_tools.ledger.file import LedgerFile
from recontact_tools.ledger.following import News

# ours: a thousand jobs that all end within one look of a sibling; who is further behind is told to look at everything.
KEPT = 4_096


class SqliteUpdates:
    """The `Updates` in the ledger's file: reading nothing new takes some 10 us."""

    def __init__(self, file: LedgerFile) -> None:
        self._file = file

    async def announce(self, uris: Sequence[str], *, origin: str) -> None:
        """See `Updates.announce`."""

        def write(connection: Connection) -> None:
            connection.executemany("INSERT INTO updates (origin, uri) VALUES (?, ?)", [(origin, uri) for uri in uris])
            connection.execute("DELETE FROM updates WHERE position <= (SELECT max(position) FROM updates) - ?", (KEPT,))

        await self._file.write(write)

    async def latest(self) -> int:
        """See `Updates.latest`."""
        return self._file.read(_last)

    async def since(self, position: int, *, origin: str) -> News:
        """See `Updates.since`."""

        def read(connection: Connection) -> News:
            last = _last(connection)
            if last <= position:
                return News(position, (), missed=False)
            first = connection.execute("SELECT min(position) FROM updates").fetchone()[0]
            rows = connection.execute(
                "SELECT uri FROM updates WHERE position > ? AND position <= ? AND origin <> ? ORDER BY position",
                (position, last, origin),
            )
            return News(last, tuple(dict.fromkeys(row["uri"] for row in rows)), missed=first > position + 1)

        return self._file.read(read)


def _last(connection: Connection) -> int:
    last: int = connection.execute("SELECT coalesce(max(position), 0) FROM updates").fetchone()[0]
    return last
