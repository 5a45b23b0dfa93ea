"""Access tokens: issued for client credentials, verified once and remembered."""

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

import jwt

from recontact_service.problems import forbidden, unauthorized

AUDIENCE = "https://api.luc.id"  # source: authentication page
_ALGORITHM = "HS256"
_REMEMBERED = 1_000  # ours: a token costs a few hundred bytes; past this the memory starts afresh


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: *user_id* is the UUID that jobs show as created_by; *expires* is in seconds since the epoch."""

    user_id: str
    expires: float


class Tokens:
    """Issue and verify bearer tokens signed with the store's key."""

    def __init__(self, key: bytes, *, clients: Mapping[str, str], seconds: int, now: Callable[[], datetime]) -> None:
        self._key = key
        self._clients = clients
        self._now = now
        self._verified: dict[bytes, Caller] = {}
        self.seconds = seconds

    def accepts(self, client_id: str, secret: str) -> bool:
        """Compare the secret of a client in constant time."""
        expected = self._clients.get(client_id, "")
        return hmac.compare_digest(expected.encode(), secret.encode()) and client_id in self._clients

    def issue(self, client_id: str) -> str:
        """Sign a token for a client."""
        issued = int(self._now().timestamp())
        claims = {"sub": client_id, "aud": AUDIENCE, "iat": issued, "exp": issued + self.seconds}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def verify(self, authorization: bytes | None) -> Caller:
        """Read an Authorization header.

        Raises:
            Problem: 401 when it is missing or not ours, 403 when the token has expired.
        """
        caller = self._verified.get(authorization) if authorization else None
        if caller is None:
            caller = self._read(authorization or b"")
            if len(self._verified) >= _REMEMBERED:
                self._verified.clear()
            self._verified[authorization or b""] = caller
        if caller.expires <= self._now().timestamp():
            raise forbidden()
        return caller

    def _read(self, authorization: bytes) -> Caller:
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            raise unauthorized()
        try:
            claims = jwt.decode(
                token,
                self._key,
                algorithms=[_ALGORITHM],
                audience=AUDIENCE,
                # The clock is passed in: expiry is checked at every use, not here.
                options={"verify_exp": False, "verify_iat": False, "require": ["sub", "exp"]},
            )
        except jwt.InvalidTokenError:
            raise unauthorized() from None
        return Caller(str(uuid5(NAMESPACE_URL, str(claims["sub"]))), float(claims["exp"]))
