"""Which earlier intent a call merely repeats, and writing down one that repeats none."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

from recontact_tools.ledger import intent_reads, intents, tickets, usage
from recontact_tools.ledger.database import Connection
from recontact_tools.ledger.faults import IntentIdTaken, KeyTaken
from recontact_tools.ledger.records import Intent
from recontact_tools.ledger.rows import INTENT_COLUMNS, OF_GROUP, group_values, intent_from
from recontact_tools.ledger.states import ACTIVE_STATES, IntentState
from recontact_tools.ledger.ticket_interface import Spending
from recontact_tools.models import Caps

# ours: a host that gave a call up, or a model that lost its answer, repeats it within minutes; who uploads the same
# list again later, or once more after something else, means it.
SAME_CALL_WITHIN = timedelta(minutes=10)
# ours: whoever was told that nobody knows what happened may come back the next morning, and must not send twice.
UNKNOWN_FOR = timedelta(hours=24)

_DIGEST_BYTES = 32
_SELECT = f"SELECT {INTENT_COLUMNS} FROM intents"  # noqa: S608 - the columns are a constant of ours
# Of a target group that was emptied since, the same list is a new wish.
_SINCE_REMOVAL = f"""
    position > coalesce((
        SELECT max(position) FROM intents WHERE kind = 'removal' AND state <> 'refused'
        AND {OF_GROUP}
    ), 0)
"""  # noqa: S608 - a constant of ours


def still_stands(earlier: Intent, now: datetime) -> bool:
    """Tell whether the same call without a key, *now*, means the *earlier* intent rather than a new one.

    A failed job may be tried again: the API stored nothing of it, or said what it stored. Ages count from the last
    news of the earlier intent.
    """
    if earlier.state in ACTIVE_STATES:
        return True
    age = now - earlier.updated_at
    if earlier.state is IntentState.UNKNOWN:
        return age <= UNKNOWN_FOR
    return earlier.job is not None and not earlier.job.is_failed and age <= SAME_CALL_WITHIN


def digest(connection: Connection, parts: Sequence[bytes]) -> str:
    """Return a text that stands for *parts*, keyed by a secret that only this ledger holds."""
    row = connection.execute("SELECT secret FROM secrets WHERE name = 'digests'").fetchone()
    hashed = blake2b(key=row["secret"], digest_size=_DIGEST_BYTES)
    for part in parts:  # each with its length, so that no two lists of parts run together
        hashed.update(len(part).to_bytes(8, "big"))
        hashed.update(part)
    return hashed.hexdigest()


def pinned(connection: Connection, name: str) -> bytes | None:
    """Read what is written under a name."""
    row = connection.execute("SELECT secret FROM secrets WHERE name = ?", (_pin(name),)).fetchone()
    return None if row is None else bytes(row["secret"])


def pin(connection: Connection, name: str, value: bytes) -> bytes:
    """Write *value* under a name that nothing is written under, and return what is."""
    connection.execute(
        "INSERT INTO secrets (name, secret) VALUES (?, ?) ON CONFLICT (name) DO NOTHING", (_pin(name), value)
    )
    return pinned(connection, name) or value


def _pin(name: str) -> str:
    return f"pinned {name}"


def standing(connection: Connection, intent: Intent) -> Intent | None:
    """Read the earlier intent that a planned one repeats.

    Raises:
        KeyTaken: its idempotency key stands for something else.
    """
    if intent.idempotency_key is not None:
        return _by_key(connection, intent)
    earlier = _latest_alike(connection, intent)
    return earlier if earlier is not None and still_stands(earlier, intent.created_at) else None


def _by_key(connection: Connection, intent: Intent) -> Intent | None:
    row = connection.execute(
        f"{_SELECT} WHERE principal = ? AND idempotency_key = ? AND state <> 'refused'",
        (intent.principal, intent.idempotency_key),
    ).fetchone()
    if row is None:
        return None
    earlier = intent_from(row)
    if earlier.fingerprint != intent.fingerprint:
        raise KeyTaken(earlier)
    return earlier


def _latest_alike(connection: Connection, intent: Intent) -> Intent | None:
    row = connection.execute(
        f"{_SELECT} WHERE fingerprint = ? AND principal || '' = ? AND state || '' <> 'refused' AND {_SINCE_REMOVAL} "
        "ORDER BY +position DESC LIMIT 1",
        (intent.fingerprint, intent.principal, *group_values(intent.group)),
    ).fetchone()
    return row and intent_from(row)


def open_once(
    connection: Connection,
    intent: Intent,
    payload: bytes | None,
    *,
    spending: Spending | None = None,
    caps: Caps | None = None,
) -> Intent:
    """Write a planned intent and its payload, unless it repeats one; writing the same one again changes nothing.

    Runs under the write lock, so that of two calls at once the second sees the first. What is written counts for its
    principal, where *caps* are given.

    Raises:
        TicketUsed: what it is to send is a staged file whose ticket cannot be used any more.
        CapReached: It would be more than one of them.
    """
    written = intent_reads.one(connection, intent.intent_id)
    if written is not None:
        return _same(written, intent)
    earlier = standing(connection, intent)
    if earlier is not None:
        return earlier
    usage.count_intent(connection, intent, caps)
    intents.insert(connection, intent, payload)
    if spending is not None:
        tickets.spend(connection, spending, intent.intent_id, intent.created_at)
    return intent


def _same(written: Intent, intent: Intent) -> Intent:
    if (written.kind, written.principal, written.group) != (intent.kind, intent.principal, intent.group):
        raise IntentIdTaken
    return written
