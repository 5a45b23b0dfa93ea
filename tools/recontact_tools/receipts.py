"""The signed record of an approval: who agreed to what, checkable by anybody who has the public key, without us."""

from __future__ import annotations

import json
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from datetime import datetime

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from recontact_tools.ledger import Evidence, Plan
    from recontact_tools.sealing import Seal

KIND: Final = "recontact-mcp approval receipt"
_PURPOSE: Final = "approval receipts"


class ReceiptBroken(Exception):
    """What was given is no receipt, was changed, or was signed with another key."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A receipt as it is kept, JSON in one line, and the digest by which the audit trail names it."""

    text: str
    digest: str


def receipt_of(seal: Seal, plan: Plan, *, approver: str, evidence: Evidence, method: str, now: datetime) -> Receipt:
    """Sign that a person agreed to a plan; no respondent id is in it. *method* is by what they were known.

    Raises:
        KeyUnusable: The key that receipts are signed with cannot be read.
        OSError: It cannot be made.
    """
    said: dict[str, Any] = {  # Any: the edge to JSON
        "kind": KIND,
        "plan_id": plan.plan_id,
        "purpose": plan.purpose.value,
        "asked_by": plan.principal,
        "approved_by": approver,
        "account_id": plan.group.account_id,
        "project_id": plan.group.project_id,
        "target_group_id": plan.group.target_group_id,
        "count": plan.count,
        "new_ids": plan.new_ids,
        "fingerprint": plan.fingerprint,
        "grade": evidence.value,
        "method": method,
        "at": now.isoformat(),
    }
    signature = _key(seal).sign(_canonical(said))
    text = json.dumps({**said, "signature": _text(signature)}, sort_keys=True, separators=(",", ":"))
    return Receipt(text, digest_of(text))


def digest_of(text: str) -> str:
    """Return what the audit trail names a receipt by: letters and digits that nobody takes for an id."""
    return f"sha256-{b32encode(sha256(text.encode()).digest()).decode().rstrip('=').lower()}"


def public_key_of(seal: Seal) -> str:
    """Return the key that receipts are checked with, 32 bytes in base64.

    Raises:
        KeyUnusable: The key that receipts are signed with cannot be read.
        OSError: It cannot be made.
    """
    return _text(_key(seal).public_key().public_bytes_raw())


def check_receipt(text: str, public_key: str) -> dict[str, Any]:
    """Return what a receipt says, if it was signed with the private part of *public_key*.

    Raises:
        ReceiptBroken: It was not, or is no receipt.
    """
    from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - OpenSSL is no part of a cold start
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

    try:
        said: dict[str, Any] = dict(json.loads(text))
        signature = _bytes(said.pop("signature"))
        Ed25519PublicKey.from_public_bytes(_bytes(public_key)).verify(signature, _canonical(said))
    except (InvalidSignature, AttributeError, KeyError, TypeError, ValueError, RecursionError):
        raise ReceiptBroken from None
    if said.get("kind") != KIND:
        raise ReceiptBroken
    return said


def _key(seal: Seal) -> Ed25519PrivateKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - as above

    return Ed25519PrivateKey.from_private_bytes(seal.derived(_PURPOSE))


def _canonical(said: dict[str, Any]) -> bytes:
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode("ascii")


def _text(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(f"{text}{'=' * (-len(text) % 4)}")
