"""Watching resources in both protocol eras: checked as reading is, and followed for as long as somebody watches."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.exceptions import MCPError
from mcp.shared.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp_types import INVALID_PARAMS, SubscribeRequestParams, SubscriptionsListenRequestParams
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from recontact_mcp.access import LOCAL_PRINCIPAL
from recontact_mcp.boundary import RecontactServer
from recontact_mcp.gate import watchable
from recontact_mcp.legacy_subscriptions import LegacySubscriptions
from recontact_mcp.opening import Opening
from recontact_mcp.refusing import unreadable
from recontact_mcp.scopes import READING, check_scopes
from recontact_tools.errors import InvalidInput, RecontactError

# ours: as many as there may be jobs at once by far; each is checked before the stream begins.
URIS_AT_ONCE = 1_024

Request = ServerRequestContext[Opening, Any]


class Following:
    """The middleware of subscriptions: serves those of 2025, checks those of 2026-07-28, which the SDK serves."""

    def __init__(self, server: RecontactServer, opening: Opening, bus: SubscriptionBus) -> None:
        self._server = server
        self._opening = opening
        self._legacy = LegacySubscriptions(bus, opening.watched)

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """Keep subscriptions until the server stops."""
        async with self._legacy.running():
            yield

    async def __call__(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        """Answer a request for a subscription; let everything else pass."""
        if ctx.method == "initialize":
            return _announcing(await call_next(ctx))
        if ctx.method == "subscriptions/listen":
            return await self._listen_for_now(ctx, call_next)
        if ctx.method in {"resources/subscribe", "resources/unsubscribe"} and _is_ready(ctx):
            return await self._subscription(ctx)
        return await call_next(ctx)

    async def _listen_for_now(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        """Serve a stream; when this server is about to end, the stream ends as meant, and its client is told so."""
        answer: list[HandlerResult] = []
        with self._opening.ending.cutting_short():
            answer.append(await self._listen(ctx, call_next))
        return answer[0] if answer else {"_meta": {SUBSCRIPTION_ID_META_KEY: ctx.request_id}}

    async def _listen(self, ctx: Request, call_next: CallNext) -> HandlerResult:
        try:
            params = SubscriptionsListenRequestParams.model_validate(ctx.params or {}, by_name=False)
        except ValidationError:
            return await call_next(ctx)  # which says what is wrong with it
        uris = params.notifications.resource_subscriptions or []
        if not uris:
            return await call_next(ctx)
        async with self._admitted(uris):
            return await call_next(ctx)

    async def _subscription(self, ctx: Request) -> HandlerResult:
        try:
            uri = SubscribeRequestParams.model_validate(ctx.params or {}, by_name=False).uri
        except ValidationError:
            raise MCPError(code=INVALID_PARAMS, message="A subscription needs the URI of a resource.") from None
        if ctx.method == "resources/unsubscribe":
            self._legacy.unsubscribe(ctx.session, uri)
            return {}
        async with self._admitted([uri]):
            caller = self._opening.caller().principal
            await self._legacy.subscribe(ctx.session, uri, owner=None if caller == LOCAL_PRINCIPAL else caller)
        return {}

    @asynccontextmanager
    async def _admitted(self, uris: Sequence[str]) -> AsyncGenerator[None]:
        """Watch resources while the block lasts, once all of them are checked and the jobs among them are followed.

        Raises:
            MCPError: Something of it cannot be watched, and why; nothing is watched then.
        """
        try:
            if len(uris) > URIS_AT_ONCE:
                raise _too_many()
            check_scopes(self._opening.caller().scopes, READING)
            runtime, relay, followers = await self._opening.following()
            found = [await watchable(self._server, runtime.rules.policy, uri) for uri in uris]
            await relay.catch_up()
            with self._opening.watched.watching(uris):
                jobs = (one.job for one in found if one.job is not None)
                await followers.ask(jobs, principal=runtime.principal)
                yield
        except RecontactError as error:
            raise unreadable(error) from None


def _is_ready(ctx: Request) -> bool:
    """Whether the client is of 2025 and has shaken hands; no other one may subscribe this way."""
    return ctx.protocol_version not in MODERN_PROTOCOL_VERSIONS and ctx.session.client_params is not None


def _announcing(hello: HandlerResult) -> HandlerResult:
    """Add to the answer of the handshake that resources can be subscribed to."""
    wire = cast("dict[str, Any]", hello)  # inside the chain of middleware the SDK answers in the form of the wire
    capabilities = wire["capabilities"]
    resources = {**capabilities["resources"], "subscribe": True}
    return {**wire, "capabilities": {**capabilities, "resources": resources}}


def _too_many() -> InvalidInput:
    return InvalidInput(
        f"One stream can watch {URIS_AT_ONCE} resources at most.",
        next_step="Watch fewer, or open another stream for the rest.",
        safe_to_repeat=True,
    )
