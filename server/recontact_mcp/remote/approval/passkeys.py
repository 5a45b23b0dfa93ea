"""Passkeys (WebAuthn): a key in a person's own device, unlocked by them, signs the very plan that they approve."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from webauthn import (
    base64url_to_bytes,
    generate_authentication_options,
    generate_registration_options,
    options_to_json,
    verify_authentication_response,
    verify_registration_response,
)
from webauthn.helpers import bytes_to_base64url, parse_authentication_credential_json
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from recontact_mcp.remote.approval.place import digest_of
from recontact_tools.ledger import Passkey

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from recontact_tools.ledger import Approvals

# ours: to find the device, and to try a finger twice.
CHALLENGE_LASTS: Final = timedelta(minutes=10)
# ours: what a browser sends has some 2 kB.
CHARACTERS_MAX: Final = 16_384
_PURPOSE: Final = "passkey"
_REGISTRATION: Final = "registration of "


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a device is asked to sign: *options* for the browser as JSON, and the *nonce* that the form brings back."""

    nonce: str
    options: str


@dataclass(frozen=True, slots=True)
class Passkeys:
    """The passkeys of one server, which work on its own origin only."""

    origin: str

    @property
    def _host(self) -> str:
        return urlsplit(self.origin).hostname or ""

    async def to_register(self, approvals: Approvals, principal: str, *, now: datetime) -> Challenge:
        """Return what makes a new passkey for a principal."""
        nonce, subject = await _issued(approvals, _REGISTRATION + principal, now)
        options = generate_registration_options(
            rp_id=self._host,
            rp_name="Recontacts",
            user_name=principal[-64:],
            user_id=sha256(principal.encode()).digest(),
            challenge=_challenge(subject, nonce),
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=UserVerificationRequirement.REQUIRED
            ),
            exclude_credentials=_descriptors(await approvals.passkeys(principal)),
        )
        return Challenge(nonce, options_to_json(options))

    async def register(self, approvals: Approvals, principal: str, nonce: str, answer: str, *, now: datetime) -> bool:
        """Keep a new passkey; False if the answer is not one to what was asked."""
        subject = _REGISTRATION + principal
        if not await _redeemed(approvals, nonce, subject, now) or len(answer) > CHARACTERS_MAX:
            return False
        try:
            made = verify_registration_response(
                credential=answer,
                expected_challenge=_challenge(subject, nonce),
                expected_rp_id=self._host,
                expected_origin=self.origin,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
            return False
        passkey = Passkey(
            credential_id=bytes_to_base64url(made.credential_id),
            principal=principal,
            public_key=made.credential_public_key,
            signed=made.sign_count,
            created_at=now,
        )
        return await approvals.add_passkey(passkey)

    async def to_approve(
        self, approvals: Approvals, keys: Sequence[Passkey], plan_id: str, *, now: datetime
    ) -> Challenge:
        """Return what one of *keys* is asked to sign for a plan."""
        nonce, subject = await _issued(approvals, plan_id, now)
        options = generate_authentication_options(
            rp_id=self._host,
            challenge=_challenge(subject, nonce),
            allow_credentials=_descriptors(keys),
            user_verification=UserVerificationRequirement.REQUIRED,
        )
        return Challenge(nonce, options_to_json(options))

    async def proved(
        self, approvals: Approvals, keys: Sequence[Passkey], plan_id: str, nonce: str, answer: str, *, now: datetime
    ) -> bool:
        """Tell whether one of *keys*, unlocked by its owner, has signed this plan; what was asked is used up."""
        if not await _redeemed(approvals, nonce, plan_id, now) or len(answer) > CHARACTERS_MAX:
            return False
        try:
            said = parse_authentication_credential_json(answer)
            key = next((one for one in keys if one.credential_id == bytes_to_base64url(said.raw_id)), None)
            if key is None:
                return False
            verified = verify_authentication_response(
                credential=said,
                expected_challenge=_challenge(plan_id, nonce),
                expected_rp_id=self._host,
                expected_origin=self.origin,
                credential_public_key=key.public_key,
                credential_current_sign_count=key.signed,
                require_user_verification=True,
            )
        except (WebAuthnException, ValueError, KeyError, TypeError, RecursionError):
            return False
        await approvals.note_signed(key.credential_id, verified.new_sign_count)
        return True


async def _issued(approvals: Approvals, subject: str, now: datetime) -> tuple[str, str]:
    nonce = secrets.token_urlsafe(32)
    await approvals.issue(digest_of(nonce), _PURPOSE, subject, now=now, expires_at=now + CHALLENGE_LASTS)
    return nonce, subject


async def _redeemed(approvals: Approvals, nonce: str, subject: str, now: datetime) -> bool:
    return await approvals.redeem(digest_of(nonce), _PURPOSE, now=now) == subject


def _challenge(subject: str, nonce: str) -> bytes:
    """Return what is signed: it holds for one subject and one moment."""
    return sha256(f"{nonce}|{subject}".encode()).digest()


def _descriptors(keys: Sequence[Passkey]) -> list[PublicKeyCredentialDescriptor]:
    return [PublicKeyCredentialDescriptor(id=base64url_to_bytes(key.credential_id)) for key in keys]
