"""A database as the ledger's functions see it: one set of them works on SQLite and on PostgreSQL.

They are written in what both understand: `?` for values, columns of TEXT, INTEGER and BLOB, truths as 0 and 1,
`ON CONFLICT` and `RETURNING`, rows read by name. A function that writes looks first whether it may: it runs alone,
and where an error of the driver ends it, nothing of its transaction is kept.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

Value: TypeAlias = str | int | bytes | None
_Result = TypeVar("_Result")


class Row(Protocol):
    """One row; its columns are read by name."""

    def keys(self) -> Iterable[str]:
        """Return the names of the columns."""
        ...

    def __getitem__(self, name: str, /) -> Any:  # noqa: ANN401 - the edge to the database
        """Return what a column holds."""
        ...


class Cursor(Protocol):
    """What a statement answered."""

    @property
    def rowcount(self) -> int:
        """How many rows were written or deleted."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 - a row or None; the edge to the database
        """Return the next row; None after the last one."""
        ...

    def fetchall(self) -> list[Any]:  # Any: rows; as above
        """Return all further rows."""
        ...

    def __iter__(self) -> Iterator[Any]:  # Any: rows; as above
        """Return the further rows one by one."""
        ...


@dataclass(frozen=True, slots=True)
class Dialect:
    """What each database says in its own way; what is counted is in one row with one column, `number`."""

    version: str
    """How many versions the schema has had."""
    entries: str
    """How many entries the audit trail was given, whatever is left of them."""
    announce: str | None
    """Wakes who waits in `heard`, once the transaction is kept; takes the announcer's name. None: nobody can."""


class Connection(Protocol):
    """A connection inside a transaction, or one that only reads."""

    @property
    def dialect(self) -> Dialect:
        """What this database says in its own way."""
        ...

    @property
    def in_transaction(self) -> bool:
        """Whether what is written now is kept or undone with something else."""
        ...

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> Cursor:  # Any: Value; a driver takes more
        """Run one statement with its values."""
        ...

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Cursor:  # Any: as above
        """Run one statement once for each row of values."""
        ...


class Database(Protocol):
    """What the parts of a ledger share: it writes one function at a time, and reads beside that.

    A write that was begun is finished even when its caller is cancelled. No error of a driver leaves it.
    """

    async def write(self, write: Callable[[Connection], _Result], *, scrubs: bool = False) -> _Result:
        """Run *write* in one transaction that no other overlaps; where it *scrubs*, remove traces of what it deleted.

        Raises:
            LedgerUnavailable: the database did not answer; whether anything was written is not known.
        """
        ...

    async def read(self, read: Callable[[Connection], _Result]) -> _Result:
        """Read what takes some 20 us.

        Raises:
            LedgerUnavailable: the database did not answer.
        """
        ...

    async def read_in_thread(self, read: Callable[[Connection], _Result]) -> _Result:
        """Read what would hold up the event loop.

        Raises:
            LedgerUnavailable: the database did not answer.
        """
        ...

    async def heard(self, seconds: float) -> None:
        """Return when another process may have announced something, at the latest after so many seconds."""
        ...

    async def aclose(self) -> None:
        """Let go of the database."""
        ...
