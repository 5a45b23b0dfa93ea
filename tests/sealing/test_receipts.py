"""Receipts of approvals: anybody with the public key can check them, and nobody can make or change one."""

import json
from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from recontact_tools.ledger import Evidence, Plan, PlanState
from recontact_tools.models import TargetGroup
from recontact_tools.receipts import ReceiptBroken, check_receipt, digest_of, public_key_of, receipt_of
from recontact_tools.sealing import Seal

NOW = datetime(2030, 1, 1, 12, tzinfo=UTC)
GROUP = TargetGroup(101, "01BTGNYV6HRNK8K8VKZASZCFP0", "01BTGNYV6HRNK8K8VKZASZCFP1")
PLAN = Plan("PLAN1", "ann", GROUP, 500, NOW, NOW + timedelta(minutes=30), PlanState.OPEN, fingerprint="f")
OURS, THEIRS = Seal(lambda: b"1" * 32), Seal(lambda: b"2" * 32)
RECEIPT = receipt_of(OURS, PLAN, approver="bob", evidence=Evidence.HUMAN_OOB, method="oidc", now=NOW)


def test_a_receipt_says_who_agreed_to_what_and_when() -> None:
    said = check_receipt(RECEIPT.text, public_key_of(OURS))
    assert said == {
        "kind": "recontact-mcp approval receipt",
        "plan_id": "PLAN1",
        "purpose": "removal",
        "asked_by": "ann",
        "approved_by": "bob",
        "account_id": 101,
        "project_id": GROUP.project_id,
        "target_group_id": GROUP.target_group_id,
        "count": 500,
        "new_ids": None,
        "fingerprint": "f",
        "grade": "human-oob",
        "method": "oidc",
        "at": NOW.isoformat(),
    }
    assert RECEIPT.digest == digest_of(RECEIPT.text)


def test_every_replica_signs_with_the_same_key_and_no_other_key_checks() -> None:
    assert public_key_of(Seal(lambda: b"1" * 32)) == public_key_of(OURS) != public_key_of(THEIRS)
    with pytest.raises(ReceiptBroken):
        check_receipt(RECEIPT.text, public_key_of(THEIRS))


@given(field=st.sampled_from(sorted(json.loads(RECEIPT.text))), value=st.none() | st.integers() | st.text())
def test_a_receipt_that_was_changed_is_none(field: str, value: Any) -> None:
    said = json.loads(RECEIPT.text)
    if said[field] == value:
        return
    with pytest.raises(ReceiptBroken):
        check_receipt(json.dumps({**said, field: value}), public_key_of(OURS))


@pytest.mark.parametrize("text", ["", "[]", "{}", "1", '{"signature": 1}', '{"signature": "AA"}', "[" * 100_000])
def test_what_is_no_receipt_is_none(text: str) -> None:
    with pytest.raises(ReceiptBroken):
        check_receipt(text, public_key_of(OURS))


def test_a_key_that_is_none_checks_nothing() -> None:
    with pytest.raises(ReceiptBroken):
        check_receipt(RECEIPT.text, "not a key")


def test_another_text_that_the_same_key_signed_is_no_receipt() -> None:
    said = {**json.loads(RECEIPT.text), "kind": "a bill"}
    del said["signature"]
    key = Ed25519PrivateKey.from_private_bytes(OURS.derived("approval receipts"))
    signature = key.sign(json.dumps(said, sort_keys=True, separators=(",", ":")).encode())
    text = json.dumps({**said, "signature": urlsafe_b64encode(signature).decode()})
    with pytest.raises(ReceiptBroken):
        check_receipt(text, public_key_of(OURS))
