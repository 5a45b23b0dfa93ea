"""What the ledger does to tickets, as plain functions of one connection; writers run inside `writing`."""

from collections.abc import Sequence
from datetime import datetime

from recontact_tools.ledger.audit import append
from recontact_tools.ledger.database import Connection, Row
from recontact_tools.ledger.entries import Event, Word, about
from recontact_tools.ledger.faults import TicketUsed, TooManyTickets
from recontact_tools.ledger.rows import OF_GROUP, group_from, group_values, instant
from recontact_tools.ledger.ticket_interface import OPEN_TICKETS_MAX, USED_FOR, Spending, Ticket
from recontact_tools.models import TargetGroup

_COLUMNS = (
    "ticket_id, principal, account_id, project_id, target_group_id, bytes_max, created_at, expires_at, pieces, "
    "used_by, wish, report"
)
_SELECT = f"SELECT {_COLUMNS} FROM tickets"  # noqa: S608 - the columns are a constant of ours
_SENT = "FROM intents WHERE state IN ('started', 'finished', 'unknown')"
# What used them may not be refused any more, so that nobody will need the file again: something was sent.
_DONE_WITH = f"used_by IN (SELECT intent_id {_SENT}) OR used_by IN (SELECT parent_id {_SENT} AND parent_id IS NOT NULL)"
# What used them ended, and nothing was sent for it.
_REFUSED = (
    "used_by IN (SELECT intent_id FROM intents WHERE state = 'refused')"
    " OR used_by IN (SELECT replacement_id FROM replacements WHERE stage = 'refused')"
)


def issue(connection: Connection, ticket: Ticket, handle_hash: str, url_hash: str) -> None:
    """Write a new ticket down, unless its principal has too many.

    Raises:
        TooManyTickets: so it is.
    """
    row = connection.execute(
        "SELECT count(*) AS open FROM tickets WHERE principal = ? AND expires_at > ? AND used_by IS NULL",
        (ticket.principal, instant(ticket.created_at)),
    ).fetchone()
    if row["open"] >= OPEN_TICKETS_MAX:
        raise TooManyTickets
    connection.execute(
        "INSERT INTO tickets (ticket_id, handle_hash, url_hash, principal, account_id, project_id, target_group_id, "
        "bytes_max, created_at, updated_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            ticket.ticket_id,
            handle_hash,
            url_hash,
            ticket.principal,
            *group_values(ticket.group),
            ticket.bytes_max,
            instant(ticket.created_at),
            instant(ticket.created_at),
            instant(ticket.expires_at),
        ),
    )
    _tell(connection, ticket, Event.TICKET_ISSUED, ticket.created_at)


def awaiting(connection: Connection, url_hash: str, now: datetime) -> Ticket | None:
    """Read the ticket that a file may still be sent for."""
    row = connection.execute(
        f"{_SELECT} WHERE url_hash = ? AND pieces IS NULL AND expires_at > ?", (url_hash, instant(now))
    ).fetchone()
    return row and _ticket(row)


def addressed(connection: Connection, url_hash: str) -> Ticket | None:
    """Read the ticket of an address, whatever became of it."""
    row = connection.execute(f"{_SELECT} WHERE url_hash = ?", (url_hash,)).fetchone()
    return row and _ticket(row)


def fill(connection: Connection, ticket_id: str, pieces: Sequence[bytes], ids: int, now: datetime) -> bool:
    """Keep a file, if its ticket still waits for one: of two at once, one is kept."""
    filled = connection.execute(
        "UPDATE tickets SET pieces = ?, updated_at = ? WHERE ticket_id = ? AND pieces IS NULL AND expires_at > ?",
        (len(pieces), instant(now), ticket_id, instant(now)),
    )
    if filled.rowcount != 1:
        return False
    for number, piece in enumerate(pieces):
        connection.execute("INSERT INTO ticket_pieces VALUES (?, ?, ?)", (ticket_id, number, piece))
    _tell(connection, _one(connection, ticket_id), Event.TICKET_FILLED, now, ids=ids)
    return True


def find(connection: Connection, handle_hash: str, principal: str, group: TargetGroup, now: datetime) -> Ticket | None:
    """Read the ticket of a principal and target group, if it can be used, or was used not long ago."""
    row = connection.execute(
        f"{_SELECT} WHERE handle_hash = ? AND principal = ? AND {OF_GROUP} AND (expires_at > ? OR used_by IS NOT NULL)",
        (handle_hash, principal, *group_values(group), instant(now)),
    ).fetchone()
    return row and _ticket(row)


def let_go(connection: Connection, ticket_id: str, now: datetime) -> None:
    """Let a ticket be used again where what used it was refused before anything was sent, while its file is there."""
    used = connection.execute("SELECT used_by FROM tickets WHERE ticket_id = ?", (ticket_id,)).fetchone()
    back = connection.execute(
        "UPDATE tickets SET used_by = NULL, wish = NULL, report = NULL, updated_at = ? "  # noqa: S608 - constants
        f"WHERE ticket_id = ? AND emptied = 0 AND ({_REFUSED}) AND NOT ({_DONE_WITH})",
        (instant(now), ticket_id),
    )
    if back.rowcount == 1:
        _tell(connection, _one(connection, ticket_id), Event.TICKET_GIVEN_BACK, now, used_by=used["used_by"])


def prolong(connection: Connection, ticket_id: str, until: datetime, now: datetime) -> bool:
    """Keep a file that waits to be used for longer, or as long as it would be; False where it is there no more.

    What has expired is there no more, although its file may not be deleted yet.
    """
    kept = connection.execute(
        "UPDATE tickets SET expires_at = CASE WHEN expires_at < ? THEN ? ELSE expires_at END "
        "WHERE ticket_id = ? AND pieces IS NOT NULL AND emptied = 0 AND used_by IS NULL AND expires_at > ?",
        (instant(until), instant(until), ticket_id, instant(now)),
    )
    return kept.rowcount == 1


def spend(connection: Connection, spending: Spending, work_id: str, now: datetime) -> None:
    """Use a ticket up; runs in the transaction that writes down what it is used for.

    Raises:
        TicketUsed: it was used meanwhile, or has expired.
    """
    spent = connection.execute(
        "UPDATE tickets SET used_by = ?, wish = ?, report = ?, updated_at = ? "
        "WHERE ticket_id = ? AND used_by IS NULL AND pieces IS NOT NULL AND emptied = 0 AND expires_at > ?",
        (work_id, spending.wish, spending.report, instant(now), spending.ticket_id, instant(now)),
    )
    if spent.rowcount != 1:
        raise TicketUsed
    _tell(connection, _one(connection, spending.ticket_id), Event.TICKET_USED, now, used_by=work_id)


def sealed(connection: Connection, ticket_id: str) -> tuple[bytes, ...]:
    """Read the sealed pieces of a file, in order."""
    rows = connection.execute("SELECT sealed FROM ticket_pieces WHERE ticket_id = ? ORDER BY number", (ticket_id,))
    return tuple(bytes(row["sealed"]) for row in rows)


def empty(connection: Connection, ticket_id: str, now: datetime) -> None:
    """Delete the file of a ticket that nobody will need again."""
    emptied = connection.execute(
        f"UPDATE tickets SET emptied = 1, updated_at = ? WHERE ticket_id = ? AND ({_DONE_WITH})",  # noqa: S608 - ours
        (instant(now), ticket_id),
    )
    if emptied.rowcount:
        connection.execute("DELETE FROM ticket_pieces WHERE ticket_id = ?", (ticket_id,))


def is_due(connection: Connection, now: datetime) -> bool:
    """Tell whether there is anything to expire."""
    row = connection.execute(
        f"SELECT 1 FROM tickets WHERE (emptied = 0 AND (expires_at <= ? OR {_DONE_WITH})) "  # noqa: S608 - ours
        "OR expires_at <= ? LIMIT 1",
        (instant(now), instant(now - USED_FOR)),
    ).fetchone()
    return row is not None


def expire(connection: Connection, now: datetime) -> int:
    """Delete the files that were used or whose time has come, and the tickets that are long over."""
    due = connection.execute(
        f"{_SELECT} WHERE emptied = 0 AND (expires_at <= ? OR {_DONE_WITH})", (instant(now),)
    ).fetchall()
    for row in due:
        ticket = _ticket(row)
        connection.execute(
            "UPDATE tickets SET emptied = 1, updated_at = ? WHERE ticket_id = ?", (instant(now), ticket.ticket_id)
        )
        connection.execute("DELETE FROM ticket_pieces WHERE ticket_id = ?", (ticket.ticket_id,))
        if ticket.used_by is None:
            _tell(connection, ticket, Event.TICKET_EXPIRED, now, filled=ticket.pieces is not None)
    connection.execute("DELETE FROM tickets WHERE emptied = 1 AND expires_at <= ?", (instant(now - USED_FOR),))
    return len(due)


def _one(connection: Connection, ticket_id: str) -> Ticket:
    return _ticket(connection.execute(f"{_SELECT} WHERE ticket_id = ?", (ticket_id,)).fetchone())


def _tell(connection: Connection, ticket: Ticket, event: Event, at: datetime, **detail: Word) -> None:
    entry = about(ticket.group, event, "ticket", at=at, principal=ticket.principal, ticket=ticket.ticket_id, **detail)
    append(connection, entry)


def _ticket(row: Row) -> Ticket:
    return Ticket(
        ticket_id=row["ticket_id"],
        principal=row["principal"],
        group=group_from(row),
        bytes_max=row["bytes_max"],
        created_at=datetime.fromisoformat(row["created_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        pieces=row["pieces"],
        used_by=row["used_by"],
        wish=row["wish"],
        report=row["report"],
    )
