"""What the durable engine asks of SQLite and an older library does not have.

The engine takes the time from `unixepoch('subsec')` whenever Python is 3.12 or newer, but it is SQLite that
must be new enough: a library before 3.42 (Debian 12 has 3.40) does not know the word and answers NULL, which the
engine's tables refuse. Python and SQLite are updated apart from each other, so every connection is given the
function where the library has it not. To be deleted when SQLite 3.42 is the oldest that is supported, or when
the engine looks at the library's version itself (`dbos` 3.4.0 does not: `_migration.get_sqlite_timestamp_expr`).
"""

import sqlite3
import time

from sqlalchemy import Engine, event

# source: SQLite's release history, 3.42.0 (2023-05-16), "add the 'subsec' modifier to the date functions"
FIRST_WITH_SUBSECONDS = (3, 42, 0)
VERSION = sqlite3.sqlite_version


def supply_time() -> None:
    """Give every SQLite connection that SQLAlchemy opens from now on the time that the engine asks for."""
    if not event.contains(Engine, "connect", _give_time):
        event.listen(Engine, "connect", _give_time)


def _give_time(connection: object, _record: object) -> None:
    if isinstance(connection, sqlite3.Connection) and sqlite3.sqlite_version_info < FIRST_WITH_SUBSECONDS:
        # With one argument only: SQLite's own answers to every other call stay as they are.
        connection.create_function("unixepoch", 1, _unix_time)


def _unix_time(modifier: object) -> float:
    """Return the seconds since 1970 with milliseconds, as SQLite does from 3.42 on.

    Raises:
        ValueError: Anything else was asked for: a wrong time would be worse than none.
    """
    if modifier != "subsec":
        raise ValueError(f"unixepoch is only supplied for 'subsec', not for {modifier!r}")
    return round(time.time(), 3)
