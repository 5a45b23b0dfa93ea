"""Which access token says whom: of a checked token, what the rest of the server needs to know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from mcp.server.auth.provider import AccessToken

if TYPE_CHECKING:
    from collections.abc import Mapping

# ours: tokens with many groups have some 4 kB; what is longer is not looked at.
TOKEN_CHARACTERS_MAX: Final = 16_384
# ours: longer than any subject that an issuer makes; it is kept with everything that this principal does.
SUBJECT_CHARACTERS_MAX: Final = 512


def is_plausible(token: str) -> bool:
    """Tell whether a text can be a token at all, before any work is done for it."""
    # source: RFC 6750 section 2.1, b64token
    return 0 < len(token) <= TOKEN_CHARACTERS_MAX and all("!" <= character <= "~" for character in token)


def access_token(token: str, claims: Mapping[str, Any], *, issuer: str, audience: str) -> AccessToken | None:
    """Return what the claims of a checked token say; None where they do not say whose it is, or for whom."""
    subject, audiences = claims.get("sub"), _texts(claims.get("aud"))
    if not isinstance(subject, str) or not 0 < len(subject) <= SUBJECT_CHARACTERS_MAX or not subject.isprintable():
        return None
    if audience not in audiences or claims.get("iss", issuer) != issuer:
        return None
    client = claims.get("client_id") or claims.get("azp") or claims.get("cid")
    expires = claims.get("exp")
    return AccessToken(
        token=token,
        client_id=client if isinstance(client, str) else "",
        scopes=_scopes(claims),
        expires_at=int(expires) if isinstance(expires, int | float) else None,
        resource=audience,
        subject=subject,
        claims={**claims, "iss": issuer},
    )


def _scopes(claims: Mapping[str, Any]) -> list[str]:
    """Return the scopes: one text with blanks between them (RFC 9068), or, as some issuers have it, `scp`."""
    said = claims.get("scope", claims.get("scp"))
    return said.split() if isinstance(said, str) else _texts(said)


def _texts(said: object) -> list[str]:
    values = cast("list[object]", said) if isinstance(said, list) else [said]
    return [value for value in values if isinstance(value, str)]
