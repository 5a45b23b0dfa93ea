"""Hearing of changed resources, in the way that each protocol era has for it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from mcp import Client
from mcp.client.session import IncomingMessage
from mcp.client.subscriptions import ResourceUpdated
from mcp_types import (
    EmptyResult,
    ResourceUpdatedNotification,
    SubscribeRequest,
    SubscribeRequestParams,
    UnsubscribeRequest,
    UnsubscribeRequestParams,
)


@dataclass
class Ears:
    """What one client has been told; it is also the client's handler of messages, for 2025 servers tell so."""

    heard: list[str] = field(default_factory=list[str])
    _listening: bool = False
    _news: anyio.Event = field(default_factory=anyio.Event)

    async def __call__(self, message: IncomingMessage) -> None:
        """Hear a message that a 2025 server sends on its own."""
        if isinstance(message, ResourceUpdatedNotification) and not self._listening:
            self.hear(str(message.params.uri))

    def hear(self, uri: str) -> None:
        """Hear that a resource changed."""
        self.heard.append(uri)
        self._news.set()
        self._news = anyio.Event()

    async def until(self, *uris: str) -> None:
        """Wait until each of the URIs was heard."""
        while not set(uris) <= set(self.heard):
            await self._news.wait()

    @asynccontextmanager
    async def watching(self, client: Client, *uris: str) -> AsyncGenerator[None]:
        """Subscribe for as long as the block lasts."""
        if client.protocol_version < "2026":
            for uri in uris:
                await subscribe(client, uri)
            yield
            for uri in uris:
                await unsubscribe(client, uri)
            return
        self._listening = True  # the SDK shows the handler what a stream brings as well
        async with client.listen(resource_subscriptions=uris) as updates, anyio.create_task_group() as tasks:

            async def listen() -> None:
                async for event in updates:
                    if isinstance(event, ResourceUpdated):
                        self.hear(event.uri)

            tasks.start_soon(listen)
            yield
            tasks.cancel_scope.cancel()


async def subscribe(client: Client, uri: str) -> None:
    """Subscribe as a 2025 client does."""
    await client.session.send_request(SubscribeRequest(params=SubscribeRequestParams(uri=uri)), EmptyResult)


async def unsubscribe(client: Client, uri: str) -> None:
    """End a subscription as a 2025 client does."""
    await client.session.send_request(UnsubscribeRequest(params=UnsubscribeRequestParams(uri=uri)), EmptyResult)
