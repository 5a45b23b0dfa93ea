"""The doctor's look at the authorization server: what the first token of a person would need; no token is asked for."""

# Imports stand inside the functions that need them: who serves over stdio pays for no HTTP.
# ruff: noqa: PLC0415

from datetime import UTC, datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import anyio

from recontact_mcp.cli.findings import Finding
from recontact_mcp.cli.reaching import is_reachable

if TYPE_CHECKING:
    from collections.abc import Callable

    from recontact_mcp.settings import Settings

# ours: longer than the three addresses take at which an issuer may tell of itself, and the look at the keys.
LOOK_SECONDS = 25.0
ISSUER = "Issuer of tokens"
CLOCK = "Clock"
WRITTEN = "Write RECONTACT_AUTH_ISSUER as in `iss`, or set RECONTACT_AUTH_JWKS_URL."
PORTS = {"http": 80, "https": 443}
NAME_MAX = 200  # ours: longer than any issuer's URL that a person would copy


def now_utc() -> datetime:
    """Return the time as this machine has it."""
    return datetime.now(UTC)


async def issuer_looks(
    settings: "Settings", issuer: str, *, now: "Callable[[], datetime]" = now_utc
) -> tuple[Finding, ...]:
    """Look whether tokens can be checked, and whether this machine's clock is fit to judge their ends."""
    with anyio.move_on_after(LOOK_SECONDS):
        return (await _issuer(settings, issuer), *await _clock(settings, issuer, now))
    return (Finding(ISSUER, "fail", f"{issuer} did not answer in time", WRITTEN),)


async def _issuer(settings: "Settings", issuer: str) -> Finding:
    from recontact_mcp.remote.authorization.discovery import discovered
    from recontact_mcp.remote.authorization.fetching import CannotTell

    if settings.auth_introspection_url:
        return await _introspection(settings, settings.auth_introspection_url)
    try:
        url = settings.auth_jwks_url or await discovered(issuer, "jwks_uri")
    except CannotTell:
        return await _silent(issuer)
    return await _keys(settings, url)


async def _silent(issuer: str) -> Finding:
    """Say why an issuer does not tell where its keys are."""
    if (unreachable := await _unreachable(issuer)) is not None:
        return unreachable
    named = await _named(issuer)
    if named is not None:
        cure = f"If that is yours, set RECONTACT_AUTH_ISSUER to exactly that: {named}"
        return Finding(ISSUER, "fail", f"{issuer} calls itself otherwise: no token can be checked", cure)
    return Finding(ISSUER, "fail", f"{issuer} does not say where its keys are: no token can be checked", WRITTEN)


async def _named(issuer: str) -> str | None:
    from recontact_mcp.remote.authorization.discovery import metadata_urls
    from recontact_mcp.remote.authorization.fetching import CannotTell, fetched

    for url in metadata_urls(issuer):
        try:
            named = (await fetched(url)).get("issuer")
        except CannotTell:
            continue
        if isinstance(named, str) and named.isprintable() and len(named) <= NAME_MAX:
            return named
    return None


async def _unreachable(url: str) -> Finding | None:
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or PORTS[parts.scheme]
    if await is_reachable(host, port):
        return None
    cure = "Check the URL, this machine's DNS and network, and what a firewall or a NetworkPolicy lets out."
    return Finding(ISSUER, "fail", f"nobody can be reached at {host}, port {port}: no token can be checked", cure)


async def _keys(settings: "Settings", url: str) -> Finding:
    from recontact_mcp.remote.authorization.fetching import CannotTell, fetched

    try:
        keys = (await fetched(url)).get("keys")
    except CannotTell:
        keys = None
    if isinstance(keys, list) and keys:
        return Finding(ISSUER, "ok", f"its keys can be read; tokens must be for {_audience(settings)}")
    if (unreachable := await _unreachable(url)) is not None:
        return unreachable
    seen = f"{url} holds no keys that can be read: no token can be checked"
    return Finding(ISSUER, "fail", seen, "Set RECONTACT_AUTH_JWKS_URL to where they are, or ask who runs the issuer.")


async def _introspection(settings: "Settings", url: str) -> Finding:
    """Ask about a token that nobody has: the answer that it is not active proves address and credentials."""
    from recontact_mcp.remote.authorization.fetching import CannotTell, posted

    user, secret = settings.auth_client_id or "", settings.auth_client_secret
    try:
        told = await posted(url, {"token": "doctor"}, user=user, password=secret.get_secret_value() if secret else "")
    except CannotTell:
        told = {}
    if isinstance(told.get("active"), bool):
        return Finding(ISSUER, "ok", f"tells about tokens; they must be for {_audience(settings)}")
    if (unreachable := await _unreachable(url)) is not None:
        return unreachable
    cure = "Check RECONTACT_AUTH_INTROSPECTION_URL, RECONTACT_AUTH_CLIENT_ID and its secret."
    return Finding(ISSUER, "fail", f"{url} tells nothing about tokens, or not to this client", cure)


def _audience(settings: "Settings") -> str:
    if settings.auth_audience:
        return settings.auth_audience
    return f"{settings.public_url}/mcp" if settings.public_url else "the address that is listened on, and /mcp"


async def _clock(settings: "Settings", issuer: str, now: "Callable[[], datetime]") -> tuple[Finding, ...]:
    """Say where tokens would seem to be over, or not to have begun."""
    from recontact_mcp.remote.authorization.clocks import seconds_ahead

    ahead = await seconds_ahead(issuer, now)
    # A date has whole seconds, and the answer was on its way for one.
    if ahead is None or abs(ahead) <= settings.auth_leeway_seconds + 2:
        return ()
    direction = "ahead of" if ahead > 0 else "behind"
    seen = f"this machine's clock is {abs(ahead):,.0f} s {direction} the issuer's: good tokens are refused"
    return (Finding(CLOCK, "fail", seen, "Set this machine's clock, and let it be kept (NTP)."),)
