"""Lists of respondent ids as the ledger keeps them: packed, sealed in pieces, and compared by one hash of the set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from anyio import to_thread

from recontact_tools.errors import ErrorCode, Unreachable
from recontact_tools.ledger import Piece, Proof
from recontact_tools.sealing import KeyUnusable, SealBroken

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from recontact_tools.ledger import Ledger
    from recontact_tools.sealing import Seal

PIECE_IDS = 1_000  # ours: 16 kB a piece; a crash costs ten pages of reading at most
_ID_BYTES = 16
_CURSOR_BYTES = 4


@dataclass(frozen=True, slots=True)
class Opened:
    """What a piece holds: ids of 16 bytes, and the cursor behind them, None behind the last."""

    ids: list[bytes]
    cursor: str | None


def closed(seal: Seal, snapshot_id: str, number: int, ids: Sequence[bytes], cursor: str | None) -> Piece:
    """Seal a piece of a list; the API's cursor is sealed with it, for it holds an id.

    Raises:
        Unreachable: The key cannot be used.
    """
    behind = (cursor or "").encode()
    plain = len(behind).to_bytes(_CURSOR_BYTES, "big") + behind + b"".join(ids)
    try:
        return Piece(number, seal.close(plain, place=_place(snapshot_id, number)), len(ids))
    except (KeyUnusable, OSError):
        raise cannot_be_opened() from None


def opened(seal: Seal, snapshot_id: str, number: int, sealed: bytes) -> Opened:
    """Open a piece.

    Raises:
        Unreachable: The key is another one than it was sealed with, or cannot be used.
    """
    try:
        plain = seal.open(sealed, place=_place(snapshot_id, number))
    except (SealBroken, KeyUnusable, OSError):
        raise cannot_be_opened() from None
    ids_from = _CURSOR_BYTES + int.from_bytes(plain[:_CURSOR_BYTES], "big")
    packed = plain[ids_from:]
    return Opened(
        [packed[start : start + _ID_BYTES] for start in range(0, len(packed), _ID_BYTES)],
        plain[_CURSOR_BYTES:ids_from].decode() or None,
    )


def _place(snapshot_id: str, number: int) -> str:
    return f"{snapshot_id}/{number}"


def pieces_of(seal: Seal, snapshot_id: str, ids: Sequence[bytes]) -> list[Piece]:
    """Seal a whole list that is at hand."""
    starts = range(0, len(ids), PIECE_IDS)
    return [
        closed(seal, snapshot_id, number, ids[start : start + PIECE_IDS], None) for number, start in enumerate(starts)
    ]


async def opened_pieces(ledger: Ledger, seal: Seal, snapshot_id: str) -> list[Opened]:
    """Open every piece of a list, in order.

    Raises:
        Unreachable: They cannot be opened.
    """
    sealed = await ledger.snapshots.sealed(snapshot_id)

    def run() -> list[Opened]:
        return [opened(seal, snapshot_id, number, piece) for number, piece in enumerate(sealed)]

    return await to_thread.run_sync(run)


async def ids_of(ledger: Ledger, seal: Seal, snapshot_id: str) -> list[bytes]:
    """Return the ids of a complete list, in its order.

    Raises:
        Unreachable: It cannot be opened, is not complete, or is not what its hash says.
    """
    snapshot = await ledger.snapshots.get(snapshot_id)
    ids = [one for piece in await opened_pieces(ledger, seal, snapshot_id) for one in piece.ids]
    if snapshot is None or snapshot.set_hash is None or snapshot.set_hash != await set_hash(ledger, ids):
        raise cannot_be_opened()
    return ids


async def set_hash(ledger: Ledger, ids: Iterable[bytes]) -> str:
    """Return a text that stands for a set of ids: the same for the same set, in this ledger only."""
    whole = await to_thread.run_sync(lambda: b"".join(sorted(ids)))
    return await ledger.digest(b"set", whole)


async def proof_of(ledger: Ledger, *, stored: Sequence[bytes], expected: Sequence[bytes]) -> Proof:
    """Compare what is stored with what should be, by count and by hash; only if these differ, id by id."""
    hashes = [await set_hash(ledger, ids) for ids in (stored, expected)]
    if len(stored) == len(expected) and hashes[0] == hashes[1]:
        return Proof(stored=len(stored), expected=len(expected), missing=0, extra=0, set_hash=hashes[0])
    there, wanted = frozenset(stored), frozenset(expected)
    return Proof(
        stored=len(stored),
        expected=len(expected),
        missing=len(wanted - there),
        extra=len(there - wanted),
        set_hash=hashes[0],
    )


def lines_of(ids: Sequence[bytes]) -> bytes:
    """Write ids as the API takes them: one a line, lower case."""
    digits = b"".join(ids).hex()
    return "".join(
        f"{digits[at : at + 8]}-{digits[at + 8 : at + 12]}-{digits[at + 12 : at + 16]}-"
        f"{digits[at + 16 : at + 20]}-{digits[at + 20 : at + 32]}\n"
        for at in range(0, len(digits), 2 * _ID_BYTES)
    ).encode()


def cannot_be_opened() -> Unreachable:
    """Say that the key of the snapshots cannot be used, or that a list is there, or was, and cannot be."""
    return Unreachable(
        "The key of the snapshots cannot be used, or is not the one that the list was kept with, or the list was "
        "deleted; nothing was changed.",
        code=ErrorCode.SNAPSHOT_UNREADABLE,
        safe_to_repeat=False,
        next_step="Tell the user to run `recontact-mcp snapshots`, which shows what is kept, and to look after its key "
        "(RECONTACT_SNAPSHOT_KEY, or snapshots.key in the data directory: theirs, chmod 600).",
    )
