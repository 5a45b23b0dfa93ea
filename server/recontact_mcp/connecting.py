"""From the settings to the connection with Cint's API."""

from recontact_mcp.settings import Settings
from recontact_tools.gateway import Connection


def connection_for(settings: Settings) -> Connection:
    """Return how Cint's API is reached, and as whom; only for settings that have credentials."""
    secret, proxy, bundle = settings.cint_client_secret, settings.cint_proxy, settings.cint_ca_bundle
    return Connection(
        base_url=settings.cint_base_url,
        token_url=settings.cint_auth_url,
        client_id=settings.cint_client_id or "",
        client_secret=secret.get_secret_value() if secret else "",
        api_version=settings.cint_api_version,
        connect_seconds=settings.cint_connect_seconds,
        read_seconds=settings.cint_read_seconds,
        write_seconds=settings.cint_write_seconds,
        ca_bundle=str(bundle) if bundle else None,
        proxy=proxy.get_secret_value() if proxy else None,
        requests_at_once=settings.cint_requests_at_once,
        requests_per_second=settings.cint_requests_per_second,
    )
