"""Packed respondent IDs in SQLite: chunks of sorted IDs keyed by target group and first ID."""

import sqlite3

from recontact_service.packed import ID_BYTES, cut, position_after, position_of


def read_all(connection: sqlite3.Connection, group: int) -> bytes:
    """Read every respondent ID of a target group."""
    return b"".join(read_chunks(connection, group).values())


def read_chunks(connection: sqlite3.Connection, group: int) -> dict[bytes, bytes]:
    """Read the chunks of a target group in order, by their first ID."""
    rows = connection.execute("SELECT first, ids FROM id_chunks WHERE target_group = ? ORDER BY first", (group,))
    return dict(rows.fetchall())


def write_chunks(connection: sqlite3.Connection, group: int, *, old: dict[bytes, bytes], ids: bytes) -> None:
    """Make *ids* the stored set; chunks that stay as they are (*old*) are not written again."""
    new = {chunk[:ID_BYTES]: chunk for chunk in cut(ids)}
    gone = [(group, first) for first in old if first not in new]
    changed = [(group, first, chunk) for first, chunk in new.items() if old.get(first) != chunk]
    connection.executemany("DELETE FROM id_chunks WHERE target_group = ? AND first = ?", gone)
    connection.executemany("INSERT OR REPLACE INTO id_chunks VALUES (?, ?, ?)", changed)
    connection.execute("UPDATE target_groups SET saved = ? WHERE number = ?", (len(ids) // ID_BYTES, group))


def remove_all(connection: sqlite3.Connection, group: int) -> None:
    """Empty a target group."""
    connection.execute("DELETE FROM id_chunks WHERE target_group = ?", (group,))
    connection.execute("UPDATE target_groups SET saved = 0 WHERE number = ?", (group,))


def read_page(connection: sqlite3.Connection, group: int, *, after: bytes, limit: int) -> bytes:
    """Read up to *limit* IDs greater than *after*; the chunk that may hold *after* is found by its key."""
    rows = connection.execute(
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


def read_page_before(connection: sqlite3.Connection, group: int, *, before: bytes, limit: int) -> bytes:
    """Read the last *limit* IDs smaller than *before*."""
    rows = connection.execute(
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


def map_response_ids(connection: sqlite3.Connection, rids: list[bytes]) -> dict[bytes, bytes]:
    """Look up the respondents of RIDs; unknown ones are missing from the answer."""
    known: dict[bytes, bytes] = {}
    for rid in rids:
        row = connection.execute("SELECT rsid FROM respondents_of_responses WHERE rid = ?", (rid,)).fetchone()
        if row is not None:
            known[rid] = row[0]
    return known
