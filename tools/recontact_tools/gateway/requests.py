"""Building requests: the same headers and limits on each, and no URL that httpx would not send."""

from dataclasses import dataclass
from functools import lru_cache

import httpx

from recontact_tools.errors import InvalidInput
from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.observed import OPERATION, TOKEN

READS_KEPT = 256  # ours: more target groups than one server serves in a day, at about 2 KB each


@dataclass(frozen=True, slots=True)
class IdentifierFile:
    """A file to upload; the content is kept out of the repr because it holds respondent IDs."""

    name: str
    content: bytes

    @property
    def media_type(self) -> str:
        """The type of the multipart part."""
        # source: cint-api.md section 5, row 17
        return "text/csv" if self.name.casefold().endswith(".csv") else "text/plain"

    def __repr__(self) -> str:
        return f"IdentifierFile({len(self.content)} bytes)"


class Requests:
    """Build the requests of one connection.

    Raises:
        InvalidInput: A URL of the connection is not an absolute http(s) URL, or carries a password.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._base_url = _checked(connection.base_url, "base").rstrip("/")
        _checked(connection.token_url, "token")
        self._extensions = _timeouts(connection, connection.read_seconds)
        self._start_extensions = _timeouts(connection, connection.start_read_seconds)
        self._kept_read = lru_cache(READS_KEPT)(self._build_read)

    def read(self, path: str, *, query: str, token: str) -> httpx.Request:
        """Return a GET; those without a query are built once, and none that holds a cursor is kept."""
        return self._build_read(f"{path}?{query}", token) if query else self._kept_read(path, token)

    def start(self, path: str, *, query: str, file: IdentifierFile | None, token: str) -> httpx.Request:
        """Return a POST that starts a job."""
        files = {"file": (file.name, file.content, file.media_type)} if file else None
        return httpx.Request(
            "POST",
            self._url(f"{path}?{query}" if query else path),
            headers=self._headers(token),
            files=files,
            extensions=self._start_extensions,
        )

    def token(self, secret: str | None = None) -> httpx.Request:
        """Return the request for an access token; *secret* is used in place of the connection's."""
        connection = self._connection
        return httpx.Request(
            "POST",
            connection.token_url,
            headers={"accept": "application/json", "user-agent": "recontact-mcp"},
            # source: cint-api.md section 2.1
            json={
                "client_id": connection.client_id,
                "client_secret": connection.client_secret if secret is None else secret,
                "grant_type": "client_credentials",
                "auth_scopes": connection.auth_scopes,
                "audience": connection.audience,
            },
            extensions={**self._extensions, OPERATION: TOKEN},
        )

    def _build_read(self, target: str, token: str) -> httpx.Request:
        return httpx.Request("GET", self._url(target), headers=self._headers(token), extensions=self._extensions)

    def _headers(self, token: str) -> dict[str, str]:
        return {
            "authorization": f"Bearer {token}",
            "cint-api-version": self._connection.api_version,
            "accept": "*/*",
            "user-agent": "recontact-mcp",
        }

    def _url(self, target: str) -> httpx.URL:
        try:
            return httpx.URL(self._base_url + target)
        except httpx.InvalidURL:
            pass
        raise InvalidInput(
            "An id or a cursor is too long to be one of the API's.",
            next_step="Give the id or the cursor as the API returned it.",
        )


def _timeouts(connection: Connection, read_seconds: float) -> dict[str, dict[str, float]]:
    return {
        "timeout": {
            "connect": connection.connect_seconds,
            "read": read_seconds,
            "write": connection.write_seconds,
            "pool": connection.connect_seconds,
        }
    }


def _checked(url: str, name: str) -> str:
    try:
        found = httpx.URL(url)
        valid = found.scheme in {"http", "https"} and bool(found.host) and not found.userinfo
    except httpx.InvalidURL:
        valid = False
    if not valid:
        raise InvalidInput(
            f"The {name} URL is not an absolute http or https URL without user and password.",
            next_step=f"Correct the setting of the {name} URL.",
        )
    return url
