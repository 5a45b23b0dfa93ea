"""The key of the snapshots is the same in every replica: what one has sealed another one must be able to open."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from anyio import to_thread

from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.ledger.repeats import pinned
from recontact_tools.sealed_lists import cannot_be_opened
from recontact_tools.sealing import KeyUnusable

if TYPE_CHECKING:
    from recontact_tools.ledger import Ledger
    from recontact_tools.ledger.database import Connection
    from recontact_tools.sealing import Seal

_PIN = "snapshot key"


async def check_shared_key(ledger: Ledger, seal: Seal) -> None:
    """Compare this replica's key with that of the first one which was here; the first one is always right.

    Raises:
        Unreachable: The key is another one, or cannot be used; nothing was sent.
    """
    try:
        mark = await to_thread.run_sync(seal.mark)
    except (KeyUnusable, OSError):
        raise cannot_be_opened() from None
    if not hmac.compare_digest(await ledger.pinned(_PIN, mark), mark):
        raise _another_key()


def has_another_key(connection: Connection, seal: Seal) -> bool | None:
    """Tell whether *seal* has another key than the replicas; None where none of them was here yet. Only reads.

    Raises:
        KeyUnusable: The key cannot be used.
        OSError: There is none, or it cannot be read.
    """
    mark = pinned(connection, _PIN)
    return None if mark is None else not hmac.compare_digest(mark, seal.mark())


def _another_key() -> Unreachable:
    return Unreachable(
        "This server has another key of the snapshots than the servers it shares its database with; nothing was sent.",
        code=ErrorCode.SNAPSHOT_UNREADABLE,
        safe_to_repeat=True,
        next_step="Repeat the call once, for another server may answer it. Tell the user that all servers on one "
        "database need the same RECONTACT_SNAPSHOT_KEY, or the same snapshots.key in a data directory that they share.",
    )
