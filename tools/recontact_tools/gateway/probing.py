"""One look at each stage of the way to the API, in the order in which a request meets them; nothing is repeated."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import Final, Self, TypeAlias
from urllib.request import getproxies

import anyio
import httpx

from recontact_tools.gateway import paths
from recontact_tools.gateway.answers import Answer, Unreadable, json_object
from recontact_tools.gateway.causes import Cause, cause_of
from recontact_tools.gateway.clients import client_for
from recontact_tools.gateway.connection import Connection
from recontact_tools.gateway.endpoints import Endpoint, endpoint, proxy_of
from recontact_tools.gateway.readers import read_count
from recontact_tools.gateway.requests import Requests
from recontact_tools.models import TargetGroup

STAGE_SECONDS: Final = 20.0  # ours: longer than one exchange waits for anything, short for who watches
BODY_BYTES_MAX: Final = 65_536  # ours: tokens and error envelopes are a hundredth of it; the rest is not looked at

# Everything that an exchange or a look-up of a name can come to instead of an end.
FAILURES: Final = (httpx.HTTPError, OSError, UnicodeError)

Lookup: TypeAlias = Callable[[str, int], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Trouble:
    """No answer came from *host*, because of *cause*."""

    cause: Cause
    host: Endpoint


@dataclass(frozen=True, slots=True)
class Reply:
    """What can be told of an answer: *is_json* is a JSON object, *error_object* the word of the API's error envelope.

    *has_count* is a success that says how many IDs are stored, as only the API itself answers.
    *ahead_seconds* is how far our clock is ahead of the one that dated the answer; None where that cannot be told.
    """

    status: int
    is_json: bool
    error_object: str | None
    has_count: bool
    ahead_seconds: float | None
    host: Endpoint


class Probe:
    """Look at the network, the token endpoint and the API of one connection; every request of it changes nothing.

    *lookup* resolves names, and *now* is what our clock shows.

    Raises:
        InvalidInput: The connection cannot be used as it is.
    """

    def __init__(
        self,
        connection: Connection,
        *,
        lookup: Lookup = anyio.getaddrinfo,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._connection = connection
        self._requests = Requests(connection)
        self._client = client_for(connection)
        self._lookup = lookup
        self._now = now
        self._token = ""
        self.proxy = proxy_of(connection, getproxies())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._client.aclose()

    @property
    def hosts(self) -> tuple[Endpoint, ...]:
        """The token endpoint's host and the API's, once if they are the same."""
        urls = self._connection.token_url, self._connection.base_url
        return tuple(dict.fromkeys(endpoint(httpx.URL(url)) for url in urls))

    @property
    def base_path(self) -> str:
        """The path of the API's base URL, without a slash at its end."""
        return httpx.URL(self._connection.base_url).path.rstrip("/")

    @property
    def has_token(self) -> bool:
        """Whether a token was fetched."""
        return bool(self._token)

    async def names(self) -> Trouble | None:
        """Look up the names that this machine has to know: with a proxy, only the proxy's."""
        for host in (self.proxy.host,) if self.proxy else self.hosts:
            try:
                with anyio.fail_after(STAGE_SECONDS):
                    await self._lookup(host.host, host.port)
            except FAILURES as error:
                return Trouble(cause_of(error), host)
        return None

    async def reach_proxy(self) -> Trouble | None:
        """Connect to the proxy, if there is one."""
        if self.proxy is None:
            return None
        try:
            with anyio.fail_after(STAGE_SECONDS):
                stream = await anyio.connect_tcp(self.proxy.host.host, self.proxy.host.port)
                await stream.aclose()
        except FAILURES as error:
            return Trouble(cause_of(error), self.proxy.host)
        return None

    async def reach(self) -> tuple[Reply | Trouble, ...]:
        """Ask both hosts for anything, without credentials: whatever they answer, they can be reached."""
        urls = dict.fromkeys((self._connection.token_url, self._connection.base_url))
        return tuple([await self._exchange(httpx.Request("GET", url)) for url in urls])

    async def fetch_token(self) -> Reply | Trouble:
        """Fetch a token and keep it for the reads to come, if the answer has one."""
        return await self._exchange(self._requests.token(), keep_token=True)

    async def overview(self, group: TargetGroup, *, version: str | None = None) -> Reply | Trouble:
        """Read how many IDs are stored in *group*, under the connection's API version or another one."""
        connection = replace(self._connection, api_version=version or self._connection.api_version)
        path = paths.recontacts_path(group, paths.OVERVIEW)
        return await self._exchange(Requests(connection).read(path, query="", token=self._token))

    async def study_types(self) -> Reply | Trouble:
        """Read the study types, which are the same for everybody."""
        return await self._exchange(self._requests.read(paths.STUDY_TYPES, query="", token=self._token))

    async def _exchange(self, request: httpx.Request, *, keep_token: bool = False) -> Reply | Trouble:
        host = endpoint(request.url)
        try:
            with anyio.fail_after(STAGE_SECONDS):
                answer = await self._answer(request)
        except FAILURES as error:
            return Trouble(cause_of(error), host)
        found = _object(answer)
        if keep_token:
            self._token = _token(found) if answer.is_success else ""
        ahead = _ahead(answer.headers, self._now())
        return Reply(answer.status, found is not None, answer.error_object, _has_count(answer), ahead, host)

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        body = b""
        try:
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > BODY_BYTES_MAX:
                    break
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, body)


def _object(answer: Answer) -> dict[str, object] | None:
    try:
        return json_object(answer.body)
    except Unreadable:
        return None


def _has_count(answer: Answer) -> bool:
    try:
        return answer.is_success and read_count(answer) >= 0
    except Unreadable:
        return False


def _token(found: Mapping[str, object] | None) -> str:
    text = found.get("access_token") if found else None
    return text if isinstance(text, str) and text.isascii() and text.isprintable() else ""


def _ahead(headers: Mapping[str, str], now: datetime) -> float | None:
    if "age" in headers:  # a cache kept it: it was dated in the past
        return None
    try:
        return (now - parsedate_to_datetime(headers.get("date", ""))).total_seconds()
    except (ValueError, TypeError, OverflowError):  # TypeError: a date without a time zone
        return None
