"""The audit trail in the ledger's file: appended in the transaction of the change, chained by hashes.

An entry's hash is the SHA-256 of its fields without the hash as JSON: keys sorted, no blanks, ASCII only.
"""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from recontact_tools.ledger.database import Connection, Row
from recontact_tools.ledger.entries import Entry
from recontact_tools.ledger.migrations import AUDITED_SINCE
from recontact_tools.ledger.rows import instant
from recontact_tools.ledger.trail import GENESIS, Recorded, Verdict, Wanted

_NAMES = tuple(Recorded.__dataclass_fields__)
_COLUMNS = ", ".join(_NAMES)
_INSERT = f"INSERT INTO audit ({_COLUMNS}) VALUES ({', '.join('?' for _ in _NAMES)})"  # noqa: S608 - constants of ours
_SELECT = f"SELECT {_COLUMNS} FROM audit"  # noqa: S608 - constants of ours
# ours: some 5 ms, for which nothing else is read in this process.
PAGE = 500
_BEFORE_ALL = -(2**63)
_AFTER_ALL = 2**63 - 1
EVERY = _AFTER_ALL
"""A size that no trail has."""

# Each condition with the fields of `Wanted` that it takes.
_CONDITIONS = (
    ("principal = ?", ("principal",)),
    ("(account_id = ? OR account_id IS NULL)", ("account_id",)),
    ("(project_id = ? OR project_id IS NULL)", ("project_id",)),
    ("target_group_id = ?", ("target_group_id",)),
    ("(job_id = ? OR intent_id = ? OR plan_id = ?)", ("job_id", "job_id", "job_id")),
)


def append(connection: Connection, entry: Entry) -> None:
    """Append an entry; runs inside `writing`, so that it is kept or undone with the change it tells of."""
    if not connection.in_transaction:
        raise AssertionError("an entry is written in the transaction of what it tells of")
    # Not the highest number there is: where somebody cut the end off, the gap stays.
    given: int = connection.execute(connection.dialect.entries).fetchone()["number"]
    head = connection.execute("SELECT hash FROM audit ORDER BY seq DESC LIMIT 1").fetchone()
    fields: dict[str, Any] = {  # Any: the edge to JSON
        "seq": 1 + given,
        "at": instant(entry.at),
        "principal": entry.principal,
        "event": entry.event.value,
        "subject": entry.subject,
        "account_id": entry.account_id,
        "project_id": entry.project_id,
        "target_group_id": entry.target_group_id,
        "intent_id": entry.intent_id,
        "plan_id": entry.plan_id,
        "job_id": entry.job_id,
        "detail": dict(entry.detail),
        "previous": head["hash"] if head else GENESIS,
    }
    row = {**fields, "detail": canonical(fields["detail"]), "hash": hash_of(fields)}
    connection.execute(_INSERT, tuple(row[name] for name in _NAMES))


def canonical(value: Mapping[str, Any]) -> str:
    """Write JSON in the one way that hashes are taken of; bytes, as a forger may write, look like nothing of ours."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=lambda raw: [repr(raw)])


def hash_of(fields: Mapping[str, Any]) -> str:
    """Return the hash of an entry's fields; one that is among them already does not count."""
    hashed = canonical({name: value for name, value in fields.items() if name != "hash"})
    return hashlib.sha256(hashed.encode("ascii")).hexdigest()


def before(connection: Connection, seq: int | None, wanted: Wanted, size: int) -> list[Recorded]:
    """Read at most *size* wanted entries older than *seq* (None: the newest), newest first."""
    if not is_kept(connection):
        return []
    conditions, values = ["seq < ?"], [_AFTER_ALL if seq is None else seq]
    for condition, fields in _CONDITIONS:
        if getattr(wanted, fields[0]) is not None:
            conditions.append(condition)
            values += [getattr(wanted, field) for field in fields]
    found = f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY seq DESC LIMIT ?"
    return [_recorded(row) for row in connection.execute(found, (*values, size))]


def is_kept(connection: Connection) -> bool:
    """Tell whether the file is of a version that keeps a trail; a trail that is missing there is a fault."""
    version: int = connection.execute(connection.dialect.version).fetchone()["number"]
    return version >= AUDITED_SINCE


def _recorded(row: Row) -> Recorded:
    # What is no text was not written by us, and is shown all the same.  Any: the edge to the database
    fields: dict[str, Any] = {name: repr(row[name]) if isinstance(row[name], bytes) else row[name] for name in _NAMES}
    try:
        fields["detail"] = dict(json.loads(fields["detail"]))
    except (TypeError, ValueError, RecursionError):
        fields["detail"] = {"unreadable": True}
    return Recorded(**fields)


def verify(connection: Connection, expected: str | None = None) -> Verdict:
    """Check the whole chain, and whether the hash that somebody noted is in it."""
    verdict = begun(expected)
    while (further := verified_page(connection, verdict)) != verdict:
        verdict = further
    return verdict


def begun(expected: str | None) -> Verdict:
    """Return what is known before the first entry was looked at."""
    return Verdict(expected=expected, found=expected in {None, GENESIS})


def verified_page(connection: Connection, verdict: Verdict, size: int = PAGE) -> Verdict:
    """Check some more entries, and in the end that none is missing there; the same verdict when all is done."""
    if verdict.broken_at is not None or not is_kept(connection):
        return verdict
    rows = connection.execute(f"{_SELECT} WHERE seq > ? ORDER BY seq LIMIT ?", (verdict.count or _BEFORE_ALL, size))
    further = _followed(verdict, rows)
    return _complete(connection, verdict) if further == verdict else further


def _followed(verdict: Verdict, rows: Iterable[Row]) -> Verdict:
    try:
        for row in rows:
            fault = _fault(verdict, row)
            if fault is not None:
                return _broken(verdict, fault)
            found = verdict.found or row["hash"] == verdict.expected
            verdict = replace(verdict, count=row["seq"], head=row["hash"], found=found)
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) is not None:
            raise
        return _broken(verdict, "it cannot be read")  # the driver's own: a text is not UTF-8
    return verdict


def _fault(verdict: Verdict, row: Row) -> str | None:
    if row["seq"] != verdict.count + 1:
        return "it is missing"
    if row["previous"] != verdict.head:
        return "it does not follow the entry before it"
    try:
        detail = json.loads(row["detail"])
        unchanged = canonical(detail) == row["detail"] and hash_of({**dict(row), "detail": detail}) == row["hash"]
    except (TypeError, ValueError, RecursionError):
        unchanged = False
    return None if unchanged else "it is not as it was written"


def _complete(connection: Connection, verdict: Verdict) -> Verdict:
    # In one statement: between two of them another process may append.
    both = f"SELECT coalesce((SELECT max(seq) FROM audit), 0) AS seen, ({connection.dialect.entries}) AS written"  # noqa: S608 - constants of ours
    row = connection.execute(both).fetchone()
    return _broken(verdict, "it is missing") if row["written"] > row["seen"] else verdict


def _broken(verdict: Verdict, why: str) -> Verdict:
    return replace(verdict, broken_at=verdict.count + 1, why=why)
