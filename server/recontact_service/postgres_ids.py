"""Packed respondent IDs in PostgreSQL: chunks of sorted IDs keyed by target group and first ID, in partitions."""

from dataclasses import dataclass

from psycopg import sql

from recontact_service.packed import CHUNK_IDS, ID_BYTES, cut, position_after, position_of
from recontact_service.postgres_connection import PostgresConnection


@dataclass(frozen=True, slots=True)
class PostgresIds:
    """The respondent IDs in one table of chunks; see `recontact_service.rows.Ids`.

    All chunks of a target group but its last are full.
    """

    connection: PostgresConnection
    table: str = "id_chunks"

    def read_all(self, group: int) -> bytes:
        """Read every respondent ID of a target group."""
        return b"".join(self.read_chunks(group).values())

    def read_chunks(self, group: int) -> dict[bytes, bytes]:
        """Read the chunks of a target group in order, by their first ID."""
        statement = f"SELECT first, ids FROM {self.table} WHERE target_group = ? ORDER BY first"  # noqa: S608 - our own names
        return dict(self.connection.execute(statement, (group,)).fetchall())

    def write_chunks(self, group: int, *, old: dict[bytes, bytes], ids: bytes) -> None:
        """Make *ids* the stored set; chunks that stay as they are (*old*) are not written again."""
        self.replace_chunks(group, old=old, ids=ids)
        self._count(group, len(ids) // ID_BYTES)

    def replace_chunks(self, group: int, *, old: dict[bytes, bytes], ids: bytes) -> None:
        """Write the chunks alone."""
        new = {chunk[:ID_BYTES]: chunk for chunk in cut(ids)}
        stale = [first for first, chunk in old.items() if new.get(first) != chunk]
        if stale:
            statement = f"DELETE FROM {self.table} WHERE target_group = ? AND first = ANY(?)"  # noqa: S608 - our own names
            self.connection.execute(statement, (group, stale))
        self.copy_in([(group, first, chunk) for first, chunk in new.items() if old.get(first) != chunk])

    def copy_in(self, rows: list[tuple[int, bytes, bytes]]) -> None:
        """Write new chunks: target group, first ID, IDs."""
        if not rows:
            return
        statement = sql.SQL("COPY {} (target_group, first, ids) FROM STDIN (FORMAT BINARY)")
        with self.connection.raw.cursor().copy(statement.format(sql.Identifier(self.table))) as copy:
            copy.set_types(["int8", "bytea", "bytea"])
            for row in rows:
                copy.write_row(row)

    def remove_all(self, group: int) -> None:
        """Empty a target group."""
        self.connection.execute(f"DELETE FROM {self.table} WHERE target_group = ?", (group,))  # noqa: S608 - our own names
        self._count(group, 0)

    def read_page(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* IDs greater than *after*; the chunk that may hold *after* is found by its key.

        Of the chunks behind it, only what a page can take is read.
        """
        size = limit * ID_BYTES
        rows = self.connection.execute(
            f"SELECT CASE WHEN first <= ? THEN ids ELSE substring(ids FOR ?) END FROM {self.table}"  # noqa: S608 - our own names
            f" WHERE target_group = ? AND first >= coalesce((SELECT max(first) FROM {self.table}"
            " WHERE target_group = ? AND first <= ?), '') ORDER BY first LIMIT ?",
            (after, size, group, group, after, _chunks(limit)),
        ).fetchall()
        page = b"".join(chunk[position_after(chunk, after) :] for (chunk,) in rows)
        return page[:size]

    def read_page_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* IDs smaller than *before*."""
        rows = self.connection.execute(
            f"SELECT ids FROM {self.table} WHERE target_group = ? AND first < ? ORDER BY first DESC LIMIT ?",  # noqa: S608 - our own names
            (group, before, _chunks(limit)),
        ).fetchall()
        page = b"".join(chunk[: position_of(chunk, before)] for (chunk,) in reversed(rows))
        return page[-limit * ID_BYTES :]

    def count(self, group: int) -> int:
        """Count the IDs of a target group."""
        statement = f"SELECT coalesce(sum(octet_length(ids)), 0) FROM {self.table} WHERE target_group = ?"  # noqa: S608 - our own names
        return int(self.connection.execute(statement, (group,)).fetchone()[0]) // ID_BYTES

    def map_response_ids(self, rids: list[bytes]) -> dict[bytes, bytes]:
        """Look up the respondents of RIDs; unknown ones are missing from the answer."""
        statement = "SELECT rid, rsid FROM respondents_of_responses WHERE rid = ANY(?)"
        return dict(self.connection.execute(statement, (rids,)).fetchall())

    def analyze_first_load(self, group: int) -> None:
        """Let the planner know a partition that it has not seen filled yet, unless somebody is doing so."""
        row = self.connection.execute(
            f"SELECT relname FROM {self.table} JOIN pg_class ON pg_class.oid = {self.table}.tableoid"  # noqa: S608 - our own names
            " WHERE target_group = ? AND reltuples < 0 LIMIT 1",
            (group,),
        ).fetchone()
        if row is not None:
            statement = sql.SQL("ANALYZE (SKIP_LOCKED) {}").format(sql.Identifier(row[0]))
            self.connection.raw.execute(statement)

    def _count(self, group: int, saved: int) -> None:
        self.connection.execute("UPDATE target_groups SET saved = ? WHERE number = ?", (saved, group))


def _chunks(limit: int) -> int:
    """Count the chunks that a page may touch: the first may give it nothing, and the last of a list is not full."""
    return limit // CHUNK_IDS + 2
