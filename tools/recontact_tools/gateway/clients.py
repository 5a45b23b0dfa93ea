"""The HTTP client that a connection asks for: whom it trusts, through which proxy it goes."""

import ssl
from contextlib import suppress
from typing import Final

import httpx

from recontact_tools.errors import InvalidInput
from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.endpoints import endpoint
from recontact_tools.loopback import is_loopback

CONNECTIONS_MAX: Final = 20  # ours: the API publishes no rate limit and advises restraint
CONNECTIONS_SPARE: Final = 4  # ours: for tokens, which do not wait for the turn of an account


def client_for(connection: Connection) -> httpx.AsyncClient:
    """Return a client that follows no redirect, and reaches this machine without any proxy.

    Raises:
        InvalidInput: The CA bundle cannot be read or holds no certificate, or the proxy is not an http or https
            URL. The text names neither path nor URL, which may hold a password.
    """
    trust = _trust(connection.ca_bundle) if connection.ca_bundle is not None else True
    proxy = _proxy(connection.proxy, trust) if connection.proxy is not None else None
    wanted = (connection.requests_at_once or 0) + CONNECTIONS_SPARE
    limits = httpx.Limits(max_connections=max(CONNECTIONS_MAX, wanted))
    with suppress(ValueError, ImportError, httpx.InvalidURL):
        return httpx.AsyncClient(
            follow_redirects=False, limits=limits, verify=trust, proxy=proxy, mounts=_direct(connection)
        )
    raise InvalidInput(
        "A proxy that the environment names (HTTP_PROXY, HTTPS_PROXY or ALL_PROXY) cannot be used.",
        next_step="Correct or unset the variable, or set the proxy setting, which wins over the environment.",
    )


def _direct(connection: Connection) -> dict[str, httpx.AsyncBaseTransport | None]:
    """Return what no proxy leads to, whoever names one: this machine, to which secrets may go in plain text."""
    hosts = {endpoint(httpx.URL(url)).host for url in (connection.base_url, connection.token_url)}
    return {f"all://{f'[{host}]' if ':' in host else host}": None for host in hosts if is_loopback(host)}


def _trust(bundle: str) -> ssl.SSLContext:
    """Return what is trusted anyway, and the bundle's certificates: a bundle of one's own need not repeat the rest."""
    context = httpx.create_ssl_context()
    with suppress(OSError, ValueError):  # ssl.SSLError is an OSError
        context.load_verify_locations(cafile=bundle)
        return context
    raise InvalidInput(
        "The CA bundle cannot be read, or holds no certificate in PEM form.",
        next_step="Correct the setting of the CA bundle: the path of a PEM file that this user can read.",
    )


def _proxy(url: str, trust: ssl.SSLContext | bool) -> httpx.Proxy:  # noqa: FBT001 (httpx's own choice of types)
    with suppress(httpx.InvalidURL, ValueError):
        proxy = httpx.Proxy(url)
        if proxy.url.scheme in {"http", "https"} and proxy.url.host:
            if proxy.url.scheme == "https" and isinstance(trust, ssl.SSLContext):
                proxy.ssl_context = trust
            return proxy
    raise InvalidInput(
        "The proxy is not an absolute http or https URL.",
        next_step="Correct the setting of the proxy, such as http://proxy.example:3128.",
    )
