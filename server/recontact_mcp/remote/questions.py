"""What somebody else is asked on behalf of strangers, and how much of that each address may have."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

import anyio

from recontact_mcp.remote.addresses import address_of, keep_newest
from recontact_mcp.remote.buckets import Bucket, Pace
from recontact_mcp.remote.refusals import too_many_strangers

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from recontact_mcp.remote.addresses import Client
    from recontact_tools.errors import RateLimited

Told: TypeAlias = "Callable[[str], None]"

# ours: short enough for a client that waits; at the start of a server everybody's token is unknown for a moment.
LINE_SECONDS: Final = 2.0
# ours: what everybody who works at a server may bring at once after it was started, in seconds' worth.
BURST_SECONDS: Final = 10.0
# ours: an office has enough with a quarter, and whoever floods from it leaves three to everybody else.
SHARES: Final = 4


@dataclass(frozen=True, slots=True)
class Allowance:
    """What strangers may have; no failures are no limit by address."""

    failures_per_minute: float = 60.0
    questions_at_once: int = 16
    questions_per_second: float = 50.0
    trusted: tuple[str, ...] = ()
    line_seconds: float = LINE_SECONDS


USUAL: Final = Allowance()


@dataclass(slots=True)
class _Share:
    """The places of one address, kept while *users* hold or wait for one."""

    places: anyio.Semaphore
    users: int = 0


class Questions:
    """Asks somebody else on behalf of strangers: so many at once and in a second, whoever they are.

    An address that tells one client from another has at most a quarter of both, also one from which people come who
    can prove themselves: one of them may be a flood. Whoever finds no place waits for one a little. Each process counts
    for itself.
    """

    def __init__(self, allowance: Allowance, now: Callable[[], float], refused: Told) -> None:
        at_once, pace = allowance.questions_at_once, allowance.questions_per_second
        self._places = anyio.Semaphore(at_once)
        self._places_each = max(1, at_once // SHARES)
        self._pace = Pace(pace, max(1.0, BURST_SECONDS * pace))
        self._pace_each = Pace(pace / SHARES, max(1.0, BURST_SECONDS * pace / SHARES))
        self._bucket: Bucket | None = None
        self._shares: dict[str, _Share] = {}
        self._spent: OrderedDict[str, Bucket] = OrderedDict()
        self._trusted = tuple(ip_network(network) for network in allowance.trusted)
        self._line_seconds = allowance.line_seconds
        self._now = now
        self._refused = refused

    @property
    def known(self) -> int:
        """How many addresses something is kept of: at most ADDRESSES_MAX, and those from which is being asked."""
        return len(self._spent.keys() | self._shares.keys())

    @asynccontextmanager
    async def asking(self, client: Client) -> AsyncGenerator[None]:
        """Hold a place for one question that a *client* makes us ask.

        Raises:
            RateLimited: There is none, or none for its address; nothing was asked.
        """
        address, until = address_of(client, self._trusted), anyio.current_time() + self._line_seconds
        async with self._share(address, until), self._held(self._places, until, "questions"):
            self._spend(address)
            yield

    @asynccontextmanager
    async def _share(self, address: str | None, until: float) -> AsyncGenerator[None]:
        """Hold a place among those of an address first, so that it fills no line that others stand in."""
        if address is None:
            yield
            return
        share = self._shares.setdefault(address, _Share(anyio.Semaphore(self._places_each)))
        share.users += 1
        try:
            async with self._held(share.places, until, "share"):
                yield
        finally:
            share.users -= 1
            if not share.users:
                del self._shares[address]

    @asynccontextmanager
    async def _held(self, places: anyio.Semaphore, until: float, reason: str) -> AsyncGenerator[None]:
        await self._place(places, until, reason)
        try:
            yield
        finally:
            places.release()

    async def _place(self, places: anyio.Semaphore, until: float, reason: str) -> None:
        with suppress(anyio.WouldBlock):
            places.acquire_nowait()
            return
        with anyio.CancelScope(deadline=until):
            await places.acquire()
            return
        raise self._refusal(self._line_seconds, reason)

    def _spend(self, address: str | None) -> None:
        now, wait = self._now(), 0.0
        if address is not None:
            bucket, wait = self._pace_each.spent(self._spent.get(address), now)
            keep_newest(self._spent, address, bucket)
        if wait:
            raise self._refusal(wait, "share")
        self._bucket, wait = self._pace.spent(self._bucket, now)
        if wait:
            raise self._refusal(wait, "questions")

    def _refusal(self, wait: float, reason: str) -> RateLimited:
        self._refused(reason)
        return too_many_strangers(wait)
