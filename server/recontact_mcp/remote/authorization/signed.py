"""Access tokens that are signed (JWT, RFC 9068): everything about them is pinned before a key is even looked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import jwt
from jwt.exceptions import PyJWTError

from recontact_mcp.remote.authorization.tokens import access_token, is_plausible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mcp.server.auth.provider import AccessToken

    from recontact_mcp.remote.addresses import Client
    from recontact_mcp.remote.authorization.keys import Keys

# ours: key ids are hashes or dates; a longer one is something else.
KID_CHARACTERS_MAX: Final = 256
REQUIRED: Final = ("exp", "iat", "iss", "aud", "sub")
# What only an id token has, for issuers whose access tokens are not told apart by their type.
ONLY_IN_ID_TOKENS: Final = frozenset({"nonce", "at_hash", "c_hash"})


@dataclass(frozen=True, slots=True)
class SignedTokens:
    """Checks the signature of tokens, and that they are access tokens of this issuer for this server."""

    keys: Keys
    issuer: str
    audience: str
    algorithms: tuple[str, ...]
    token_type: str
    leeway_seconds: float

    async def verify_token(self, token: str, client: Client = None) -> AccessToken | None:
        """Return what a good token says, None of any other; where it comes from costs nobody anything.

        Raises:
            CannotTell: The issuer's keys could not be fetched.
        """
        del client
        header = _header(token) if is_plausible(token) else None
        if header is None or not self._is_expected(header):
            return None
        key = await self.keys.key(header["kid"], header["alg"])
        if key is None:
            return None
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[header["alg"]],
                audience=self.audience,
                issuer=self.issuer,
                leeway=self.leeway_seconds,
                options={"require": list(REQUIRED)},
            )
        except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            return None
        if self.token_type == "JWT" and ONLY_IN_ID_TOKENS & claims.keys():  # noqa: S105 (a type, no secret)
            return None
        return access_token(token, claims, issuer=self.issuer, audience=self.audience)

    def _is_expected(self, header: Mapping[str, Any]) -> bool:
        kid = header.get("kid")
        if not isinstance(kid, str) or not 0 < len(kid) <= KID_CHARACTERS_MAX or "crit" in header:
            return False
        return header.get("alg") in self.algorithms and self._is_access_token(header.get("typ"))

    def _is_access_token(self, said: object) -> bool:
        # source: RFC 7515 section 4.1.9, the prefix may be left out and case does not matter
        kind = said.lower().removeprefix("application/") if isinstance(said, str) else said
        return kind == "at+jwt" or (self.token_type == "JWT" and kind in {"jwt", None})  # noqa: S105 (as above)


def _header(token: str) -> dict[str, Any] | None:
    try:
        return jwt.get_unverified_header(token)
    except (PyJWTError, ValueError, TypeError, RecursionError):
        return None
