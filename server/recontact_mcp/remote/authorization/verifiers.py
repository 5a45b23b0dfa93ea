"""From the settings to what checks tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from recontact_mcp.remote.authorization.discovery import discovered
from recontact_mcp.remote.authorization.fetching import fetched, posted
from recontact_mcp.remote.authorization.introspected import IntrospectedTokens
from recontact_mcp.remote.authorization.keys import Keys
from recontact_mcp.remote.authorization.signed import SignedTokens

if TYPE_CHECKING:
    from mcp.server.auth.provider import AccessToken

    from recontact_mcp.remote.addresses import Client
    from recontact_mcp.remote.strangers import Strangers
    from recontact_mcp.settings import Settings


class Verifier(Protocol):
    """What checks tokens."""

    async def verify_token(self, token: str, client: Client = None) -> AccessToken | None:
        """Return what a good token says, None of any other; *client* is where it comes from.

        Raises:
            CannotTell: Nobody can say for now whether it is good.
            RateLimited: Too many that nobody knows came from there, or at once.
        """
        ...


def verifier_for(settings: Settings, issuer: str, audience: str, strangers: Strangers) -> Verifier:
    """Return what checks tokens, by the settings; nothing is fetched before the first token."""
    leeway = settings.auth_leeway_seconds
    if settings.auth_introspection_url is not None:
        ask = _Asking(settings, settings.auth_introspection_url)
        return IntrospectedTokens(ask, issuer, audience, leeway, strangers)
    keys = Keys(_KeySet(issuer, settings.auth_jwks_url))
    return SignedTokens(keys, issuer, audience, settings.auth_algorithms, settings.auth_token_type, leeway)


@dataclass(slots=True)
class _KeySet:
    """Fetches the key set of an issuer, from where it says it is if nobody configured that."""

    issuer: str
    url: str | None

    async def __call__(self) -> dict[str, Any]:
        if self.url is None:
            self.url = await discovered(self.issuer, "jwks_uri")
        return await fetched(self.url)


@dataclass(frozen=True, slots=True)
class _Asking:
    """Asks an issuer about a token, as the client that the settings name."""

    settings: Settings
    url: str = field(repr=False)

    async def __call__(self, token: str) -> dict[str, Any]:
        secret = self.settings.auth_client_secret
        password = secret.get_secret_value() if secret else ""
        form = {"token": token, "token_type_hint": "access_token"}
        return await posted(self.url, form, user=self.settings.auth_client_id or "", password=password)
