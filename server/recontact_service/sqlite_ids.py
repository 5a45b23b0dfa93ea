"""Packed respondent IDs in SQLite: chunks of sorted IDs keyed by target group and first ID."""

import sqlite3
from dataclasses import dataclass

from recontact_service.packed import ID_BYTES, cut, position_after, position_of


@dataclass(frozen=True, slots=True)
class SqliteIds:
    """What is stored for target groups, seen through one connection; see `recontact_service.rows.Ids`."""

    connection: sqlite3.Connection

    def read_all(self, group: int) -> bytes:
        """Read every respondent ID of a target group."""
        return b"".join(self.read_chunks(group).values())

    def read_chunks(self, group: int) -> dict[bytes, bytes]:
        """Read the chunks of a target group in order, by their first ID."""
        statement = "SELECT first, ids FROM id_chunks WHERE target_group = ? ORDER BY first"
        return dict(self.connection.execute(statement, (group,)).fetchall())

    def write_chunks(self, group: int, *, old: dict[bytes, bytes], ids: bytes) -> None:
        """Make *ids* the stored set; chunks that stay as they are (*old*) are not written again."""
        new = {chunk[:ID_BYTES]: chunk for chunk in cut(ids)}
        gone = [(group, first) for first in old if first not in new]
        changed = [(group, first, chunk) for first, chunk in new.items() if old.get(first) != chunk]
        self.connection.executemany("DELETE FROM id_chunks WHERE target_group = ? AND first = ?", gone)
        self.connection.executemany("INSERT OR REPLACE INTO id_chunks VALUES (?, ?, ?)", changed)
        self.connection.execute("UPDATE target_groups SET saved = ? WHERE number = ?", (len(ids) // ID_BYTES, group))

    def remove_all(self, group: int) -> None:
        """Empty a target group."""
        self.connection.execute("DELETE FROM id_chunks WHERE target_group = ?", (group,))
        self.connection.execute("UPDATE target_groups SET saved = 0 WHERE number = ?", (group,))

    def read_page(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* IDs greater than *after*; the chunk that may hold *after* is found by its key."""
        rows = self.connection.execute(
            "SELECT ids FROM id_chunks WHERE target_group = ?1 AND first >= coalesce("
            "(SELECT max(first) FROM id_chunks WHERE target_group = ?1 AND first <= ?2), x'') ORDER BY first",
            (group, after),
        )
        page = b""
        for (chunk,) in rows:
            start = position_after(chunk, after) if not page else 0
            page += chunk[start : start + limit * ID_BYTES - len(page)]
            if len(page) == limit * ID_BYTES:
                break
        rows.close()
        return page

    def read_page_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* IDs smaller than *before*."""
        rows = self.connection.execute(
            "SELECT ids FROM id_chunks WHERE target_group = ? AND first < ? ORDER BY first DESC", (group, before)
        )
        page = b""
        for (chunk,) in rows:
            end = position_of(chunk, before)
            page = chunk[max(0, end - (limit * ID_BYTES - len(page))) : end] + page
            if len(page) == limit * ID_BYTES:
                break
        rows.close()
        return page

    def put_excluded(self, group: int, ids: bytes) -> None:
        """Make *ids* the respondent IDs that may not enter."""
        self.connection.execute("DELETE FROM excluded_ids WHERE target_group = ?", (group,))
        rows = ((group, ids[at : at + ID_BYTES]) for at in range(0, len(ids), ID_BYTES))
        self.connection.executemany("INSERT INTO excluded_ids VALUES (?, ?)", rows)

    def count_excluded(self, group: int) -> int:
        """Count the respondent IDs that may not enter."""
        statement = "SELECT count(*) FROM excluded_ids WHERE target_group = ?"
        (count,) = self.connection.execute(statement, (group,)).fetchone()
        return int(count)

    def read_excluded(self, group: int, *, after: bytes, limit: int) -> bytes:
        """Read up to *limit* of them greater than *after*."""
        statement = "SELECT rsid FROM excluded_ids WHERE target_group = ? AND rsid > ? ORDER BY rsid LIMIT ?"
        return b"".join(rsid for (rsid,) in self.connection.execute(statement, (group, after, limit)).fetchall())

    def read_excluded_before(self, group: int, *, before: bytes, limit: int) -> bytes:
        """Read the last *limit* of them smaller than *before*, ascending."""
        statement = "SELECT rsid FROM excluded_ids WHERE target_group = ? AND rsid < ? ORDER BY rsid DESC LIMIT ?"
        rows = self.connection.execute(statement, (group, before, limit)).fetchall()
        return b"".join(rsid for (rsid,) in reversed(rows))

    def map_response_ids(self, rids: list[bytes]) -> dict[bytes, bytes]:
        """Look up the respondents of RIDs; unknown ones are missing from the answer."""
        known: dict[bytes, bytes] = {}
        for rid in rids:
            statement = "SELECT rsid FROM respondents_of_responses WHERE rid = ?"
            row = self.connection.execute(statement, (rid,)).fetchone()
            if row is not None:
                known[rid] = row[0]
        return known
