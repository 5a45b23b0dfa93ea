"""The edge: no request reaches MCP without a good token that carries what it takes."""

from __future__ import annotations

import json
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from mcp.server.auth.middleware.auth_context import AuthContextMiddleware
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from starlette.authentication import AuthCredentials

from recontact_mcp.auditing import record_end
from recontact_mcp.remote.authorization.challenges import Challenges
from recontact_mcp.remote.authorization.fetching import CannotTell
from recontact_mcp.remote.authorization.lasting import served_for
from recontact_mcp.remote.authorization.metadata import metadata_url, resource_of
from recontact_mcp.remote.authorization.verifiers import Verifier, verifier_for
from recontact_mcp.remote.bodies import body_of
from recontact_mcp.remote.refusals import MCP_PATH, refusal
from recontact_mcp.scopes import NONE, READING, granted, missing_scopes, of_request
from recontact_tools.catalog import OPERATIONS
from recontact_tools.errors import RateLimited

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from mcp.server.auth.provider import AccessToken
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from recontact_mcp.opening import Opening
    from recontact_mcp.remote.parts import Parts
    from recontact_mcp.scopes import Scope as Needed

LISTEN: Final = "subscriptions/listen"

logger = logging.getLogger(__name__)


def entrance(parts: Parts, app: ASGIApp, refusing: Callable[[ASGIApp], ASGIApp]) -> ASGIApp:
    """Let nobody through to MCP without a good token, before anything of a request but its head is kept.

    *refusing* reads what a refused request brings besides. Where no issuer is configured, nothing is asked for.
    """
    issuer = parts.settings.auth_issuer
    if issuer is None:
        return app
    resource = resource_of(parts)
    verifier = verifier_for(parts.settings, issuer, parts.settings.auth_audience or resource, parts.strangers)
    return Entrance(app, verifier, Challenges(metadata_url(resource)), refusing)


def guard(parts: Parts, app: ASGIApp) -> ASGIApp:
    """Put the edge around MCP, behind the entrance."""
    if parts.settings.auth_issuer is None:
        return app
    return Edge(AuthContextMiddleware(app), Challenges(metadata_url(resource_of(parts))), parts.opening)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Lets through to MCP who has a good token, and challenges everybody else."""

    app: ASGIApp
    verifier: Verifier
    challenges: Challenges
    refusing: Callable[[ASGIApp], ASGIApp]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] != MCP_PATH:
            await self.app(scope, receive, send)
            return
        token, refusal = await self._checked(scope)
        if token is None:
            await self.refusing(refusal)(scope, receive, send)
            return
        told = {**scope, "user": AuthenticatedUser(token), "auth": AuthCredentials(token.scopes)}
        await self.app(told, receive, send)

    async def _checked(self, scope: Scope) -> tuple[AccessToken | None, Response]:
        """Return the token of a request, or the challenge that answers it without one."""
        headers = [value for name, value in scope["headers"] if name == b"authorization"]
        if len(headers) > 1:
            return None, self.challenges.ambiguous()
        kind, _, text = headers[0].decode("latin-1").partition(" ") if headers else ("", "", "")
        if kind.lower() != "bearer":
            return None, self.challenges.missing()
        try:
            token = await self.verifier.verify_token(text.strip(), scope.get("client"))
        except CannotTell:
            logger.error("The authorization server gave no usable answer, so nobody is let in")  # noqa: TRY400 - no more
            return None, self.challenges.unavailable()
        except RateLimited as refused:
            return None, refusal(scope, 429, refused)
        return token, self.challenges.invalid()


@dataclass(frozen=True, slots=True)
class Edge:
    """Lets through whose token carries the scopes of the request, and challenges everybody else."""

    app: ASGIApp
    challenges: Challenges
    opening: Opening
    wall: Callable[[], float] = time.time

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request that came through the entrance."""
        user: AuthenticatedUser = scope["user"]
        token = user.access_token
        carried = granted(token.scopes)
        needed = needed_for(scope)
        if needed - carried:
            await AuthContextMiddleware(self._insufficient(needed, carried))(scope, receive, send)
            return
        if not await served_for(self._left(token, scope), self.app, scope, receive, send):
            await self.challenges.invalid()(scope, receive, send)

    def _insufficient(self, needed: frozenset[Needed], carried: frozenset[Needed]) -> ASGIApp:
        """Return what challenges a request, and records which changes are refused with it."""

        async def challenging(scope: Scope, receive: Receive, send: Send) -> None:
            for name, arguments in changes_in(body_of(scope)).items():
                await record_end(missing_scopes(carried, needed), name, arguments, self.opening)
            await self.challenges.insufficient(needed | carried)(scope, receive, send)

        return challenging

    def _left(self, token: AccessToken, scope: Scope) -> float | None:
        """Return how many seconds a stream of news may last; None for all that ends by itself."""
        is_stream = scope["method"] == "GET" or any(method == LISTEN for method, _ in calls_in(body_of(scope)))
        if token.expires_at is None or not is_stream:
            return None
        return max(0.0, token.expires_at - self.wall())


def needed_for(scope: Scope) -> frozenset[Needed]:
    """Return what a request takes: a stream what reading does, a body what its calls do."""
    if scope["method"] != "POST":
        return READING if scope["method"] == "GET" else NONE
    return frozenset[Any]().union(*(of_request(method, name) for method, name in calls_in(body_of(scope))))


def calls_in(body: bytes) -> Iterator[tuple[str, str | None]]:
    """Return the method of each request in a body, one or a batch, and the tool that it calls if it calls one.

    A body that is no JSON holds none; MCP says so to whoever sent it.
    """
    for method, params in _requests_in(body):
        name = params.get("name")
        yield method, name if isinstance(name, str) else None


def changes_in(body: bytes) -> Mapping[str, Mapping[str, Any]]:
    """Return which tools a body calls that can change something, each with the arguments of its first call."""
    found: dict[str, Mapping[str, Any]] = {}
    for method, params in _requests_in(body):
        operation = OPERATIONS.get(str(params.get("name"))) if method == "tools/call" else None
        if operation is not None and not operation.read_only:
            found.setdefault(operation.name, _mapping(params.get("arguments")))
    return found


def _requests_in(body: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        found: object = json.loads(body)
    except (ValueError, RecursionError):
        return
    for one in cast("list[object]", found) if isinstance(found, list) else [found]:
        said = _mapping(one)
        if isinstance(method := said.get("method"), str):
            yield method, _mapping(said.get("params"))


def _mapping(said: object) -> dict[str, Any]:
    return cast("dict[str, Any]", said) if isinstance(said, dict) else {}
