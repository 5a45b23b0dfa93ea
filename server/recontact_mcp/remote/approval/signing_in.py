"""Signing in with OpenID Connect at the issuer whose tokens are accepted: code flow with PKCE, state and nonce."""

from __future__ import annotations

import hmac
import secrets
import time
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

import jwt
from jwt.exceptions import PyJWTError

from recontact_mcp.callers import principal_of
from recontact_mcp.remote.authorization.discovery import Endpoints
from recontact_mcp.remote.authorization.fetching import CannotTell, NotGranted, fetched, posted
from recontact_mcp.remote.authorization.keys import Keys

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recontact_mcp.settings import Settings

# source: OpenID Connect Core 1.0 section 2, and the nonce that we send
_REQUIRED: Final = ("iss", "sub", "aud", "exp", "iat", "nonce")


@dataclass(frozen=True, slots=True)
class Begun:
    """A sign-in that was begun: where the browser goes, and what it must bring back."""

    url: str
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class SignIn:
    """The issuer, and the client that this server is there."""

    issuer: str
    client_id: str
    client_secret: str
    algorithms: tuple[str, ...]
    leeway_seconds: float
    redirect_uri: str
    keys: Keys
    endpoints: Endpoints
    login_seconds: int = 0  # how long ago a person may have signed in there; 0: it does not matter
    wall: Callable[[], float] = time.time

    async def begin(self) -> Begun:
        """Return where a person signs in.

        Raises:
            CannotTell: The issuer does not say.
        """
        url = await self.endpoints.url("authorization_endpoint")
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        asked = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": "openid",
            "state": state,
            "nonce": nonce,
            "code_challenge": urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
            **({"max_age": str(self.login_seconds)} if self.login_seconds else {}),
        }
        joint = "&" if "?" in url else "?"
        return Begun(f"{url}{joint}{urlencode(asked)}", state, nonce, verifier)

    def belongs(self, brought: Mapping[str, str], begun: Mapping[str, str]) -> bool:
        """Tell whether what a browser brings back belongs to what was *begun*, before anybody is asked."""
        if not brought.get("code"):
            return False
        if brought.get("iss", self.issuer) != self.issuer:  # source: RFC 9207 section 2.4, mix-up
            return False
        return hmac.compare_digest(brought.get("state", "").encode(), begun["state"].encode())

    async def finish(self, brought: Mapping[str, str], begun: Mapping[str, str]) -> str | None:
        """Return the principal who has signed in; None if what came back does not belong to what was *begun*.

        Raises:
            CannotTell: The issuer gave no usable answer.
        """
        if not self.belongs(brought, begun):
            return None
        form = {
            "grant_type": "authorization_code",
            "code": brought["code"],
            "redirect_uri": self.redirect_uri,
            "code_verifier": begun["verifier"],
        }
        url = await self.endpoints.url("token_endpoint")
        answer = await posted(url, form, user=self.client_id, password=self.client_secret)
        claims = await self._claims(answer.get("id_token"))
        if claims is None or not self._is_fresh(claims.get("auth_time")):
            return None
        if not hmac.compare_digest(str(claims["nonce"]).encode(), begun["nonce"].encode()):
            return None
        return principal_of(self.issuer, claims["sub"])

    def _is_fresh(self, signed_in: object) -> bool:
        """Tell whether somebody has signed in lately, as the issuer was asked to make sure (`max_age`)."""
        if not self.login_seconds:
            return True
        # source: OpenID Connect Core 1.0 section 2: an issuer that was asked for it says when
        if isinstance(signed_in, bool) or not isinstance(signed_in, int | float):
            return False
        return signed_in + self.login_seconds + self.leeway_seconds >= self.wall()

    async def _claims(self, token: object) -> dict[str, Any] | None:
        """Return what an id token says, if it is one of this issuer for this client."""
        try:
            header = jwt.get_unverified_header(str(token))
            algorithm, kid = header.get("alg"), header.get("kid")
            if algorithm not in self.algorithms or not isinstance(kid, str) or "crit" in header:
                return None
            key = await self.keys.key(kid, algorithm)
            if key is None:
                return None
            claims: dict[str, Any] = jwt.decode(
                str(token),
                key,
                algorithms=[algorithm],
                audience=self.client_id,
                issuer=self.issuer,
                leeway=self.leeway_seconds,
                options={"require": list(_REQUIRED)},
            )
        except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return None
        # source: OpenID Connect Core 1.0 section 3.1.3.7, for tokens of several audiences
        return claims if claims.get("azp", self.client_id) == self.client_id and claims["sub"] else None


def sign_in_for(settings: Settings, redirect_uri: str) -> SignIn | None:
    """Return how people sign in by the settings; None where nothing says how."""
    issuer, client, secret = settings.auth_issuer, settings.approval_client_id, settings.approval_client_secret
    if issuer is None or client is None or secret is None:
        return None
    endpoints = Endpoints(issuer)

    async def key_set() -> dict[str, Any]:
        return await fetched(settings.auth_jwks_url or await endpoints.url("jwks_uri"))

    return SignIn(
        issuer=issuer,
        client_id=client,
        client_secret=secret.get_secret_value(),
        algorithms=settings.auth_algorithms,
        leeway_seconds=settings.auth_leeway_seconds,
        redirect_uri=redirect_uri,
        keys=Keys(key_set),
        endpoints=endpoints,
        login_seconds=settings.approval_login_seconds,
    )


__all__ = ["Begun", "CannotTell", "NotGranted", "SignIn", "sign_in_for"]
