"""What the SQL of both databases is written against: one connection, and the packed respondent IDs behind it.

Statements name their parameters with "?", and keep to what SQLite and PostgreSQL have in common.
"""

from collections.abc import Sequence
from typing import Any, Protocol


class Rows(Protocol):
    """The answer of a statement."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    def fetchone(self) -> Any:  # noqa: ANN401 - a row is what its statement says
        """Take the next row, None after the last."""
        ...

    def fetchall(self) -> list[Any]:
        """Take the rows that are left."""
        ...


class Connection(Protocol):
    """A connection to a database, inside a transaction where something is written."""

    def execute(self, statement: str, parameters: Sequence[Any] = ..., /) -> Rows:
        """Run one statement."""
        ...


class Ids(Protocol):
    """The respondent IDs of target groups: chunks of packed IDs in ascending order."""

    def read_chunks(self, group: int) -> dict[bytes, bytes]:
        """Read the chunks of a target group in order, by their first ID."""
        ...

    def write_chunks(self, group: int, *, old: dict[bytes, bytes], ids: bytes) -> None:
        """Make *ids* the stored set; chunks that stay as they are (*old*) are not written again."""
        ...

    def remove_all(self, group: int) -> None:
        """Empty a target group."""
        ...

    def map_response_ids(self, rids: list[bytes]) -> dict[bytes, bytes]:
        """Look up the respondents of RIDs; unknown ones are missing from the answer."""
        ...
