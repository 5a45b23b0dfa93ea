"""What strangers may cost: how often an address may fail to prove itself, and how often strangers make us ask.

Whoever has proved something is never counted here: a token that is known to be good, a person who is signed in. An
address counts only where it tells one client from another, and not while people who can prove themselves share it.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

import anyio

from recontact_mcp.remote.buckets import Bucket, Pace
from recontact_mcp.remote.refusals import too_many_strangers, too_strange

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterable

    from recontact_tools.errors import RateLimited

Client: TypeAlias = tuple[str, int] | None
"""Where a request comes from, as ASGI has it."""
Told: TypeAlias = "Callable[[str], None]"
_Kept = TypeVar("_Kept")

# ours: some megabytes; an address that was forgotten begins anew.
ADDRESSES_MAX: Final = 10_000
# ours: people come back within the hour, and who left an office no longer speaks for it.
SHARED_SECONDS: Final = 3_600.0
# ours: short enough for a client that waits; at the start of a server everybody's token is unknown for a moment.
LINE_SECONDS: Final = 2.0
# ours: what everybody who works at a server may bring at once after it was started, in seconds' worth.
BURST_SECONDS: Final = 10.0
# source: RFC 6177 section 2, a site has at least that much, so a single address of it tells nobody apart
_IPV6_SITE: Final = 64


@dataclass(frozen=True, slots=True)
class Allowance:
    """What strangers may have; no failures are no limit by address."""

    failures_per_minute: float = 60.0
    questions_at_once: int = 16
    questions_per_second: float = 50.0
    trusted: tuple[str, ...] = ()
    line_seconds: float = LINE_SECONDS


@dataclass(slots=True)
class Try:
    """What came of one unproven request: None as long as nobody can tell."""

    proved: bool | None = None


def address_of(client: Client, trusted: Iterable[IPv4Network | IPv6Network] = ()) -> str | None:
    """Return the address that a client is counted under; None where it may be that of everybody.

    That is a private one, behind which a balancer may stand that nobody told us of, and a *trusted* proxy's own. One
    that a trusted proxy named counts, whatever it is: such a client has no port of its own.
    """
    try:
        found = ip_address(client[0]) if client else None
    except ValueError:
        return None
    if isinstance(found, IPv6Address):
        found = found.ipv4_mapped or found
    if found is None or any(found in network for network in trusted):
        return None
    named = client is not None and not client[1]
    if not named and not found.is_global:
        return None
    return str(ip_network((found, _IPV6_SITE), strict=False) if isinstance(found, IPv6Address) else found)


class Questions:
    """Asks somebody else on behalf of strangers: so many at once and in a second, whoever they are.

    Whoever finds no place waits for one a little. Each process counts for itself.
    """

    def __init__(self, allowance: Allowance, now: Callable[[], float], refused: Told) -> None:
        self._places = anyio.Semaphore(allowance.questions_at_once)
        self._pace = Pace(allowance.questions_per_second, max(1.0, BURST_SECONDS * allowance.questions_per_second))
        self._bucket: Bucket | None = None
        self._line_seconds = allowance.line_seconds
        self._now = now
        self._refused = refused

    @asynccontextmanager
    async def asking(self) -> AsyncGenerator[None]:
        """Hold a place for one question.

        Raises:
            RateLimited: There is none; nothing was asked.
        """
        await self._place()
        try:
            self._bucket, wait = self._pace.spent(self._bucket, self._now())
            if wait:
                raise self._refusal(wait)
            yield
        finally:
            self._places.release()

    async def _place(self) -> None:
        with suppress(anyio.WouldBlock):
            self._places.acquire_nowait()
            return
        with anyio.move_on_after(self._line_seconds):
            await self._places.acquire()
            return
        raise self._refusal(self._line_seconds)

    def _refusal(self, wait: float) -> RateLimited:
        self._refused("questions")
        return too_many_strangers(wait)


class Once:
    """Remembers what was used, the *most* recent of it; each process for itself."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._used: OrderedDict[str, None] = OrderedDict()

    def is_first(self, name: str) -> bool:
        """Use something; tell whether it was not used before."""
        if name in self._used:
            return False
        self._used[name] = None
        if len(self._used) > self._most:
            self._used.popitem(last=False)
        return True


def tell_nobody(_reason: str) -> None:
    """Count nothing."""


class Strangers:
    """Knows how often each address failed lately, and from which ones people come who can prove themselves.

    *refused* is told why somebody was: `address` or `questions`.
    """

    def __init__(
        self,
        allowance: Allowance = Allowance(),
        *,
        now: Callable[[], float] = time.monotonic,
        refused: Told = tell_nobody,
    ) -> None:
        each = allowance.failures_per_minute
        self.tokens = Questions(allowance, now, refused)
        self.sign_ins = Questions(allowance, now, refused)
        self._is_counting = each > 0
        self._pace = Pace(each / 60.0, max(1.0, each))
        self._trusted = tuple(ip_network(network) for network in allowance.trusted)
        self._now = now
        self._refused = refused
        self._failed: OrderedDict[str, Bucket] = OrderedDict()
        self._shared: OrderedDict[str, float] = OrderedDict()

    @contextmanager
    def trying(self, client: Client) -> Generator[Try]:
        """Let a request that has proved nothing yet be tried; what came of it is told inside the block.

        Of requests that are tried at once, each counts until it is known not to have failed.

        Raises:
            RateLimited: Too many from its address failed.
        """
        one, address = Try(), self._counted(client)
        if address is not None:
            self._spend(address)
        try:
            yield one
        finally:
            if one.proved and address is not None:
                self._share(address)
            elif one.proved is None and address is not None:
                self._give_back(address)

    @property
    def known(self) -> int:
        """How many addresses something is kept of, at most twice ADDRESSES_MAX."""
        return max(len(self._failed), len(self._shared))

    def _counted(self, client: Client) -> str | None:
        address = address_of(client, self._trusted) if self._is_counting else None
        if address is None or self._now() < self._shared.get(address, 0.0):
            return None
        return address

    def _spend(self, address: str) -> None:
        bucket, wait = self._pace.spent(self._failed.get(address), self._now())
        _put(self._failed, address, bucket)
        if wait:
            self._refused("address")
            raise too_strange(wait)

    def _give_back(self, address: str) -> None:
        bucket = self._failed.get(address, Bucket(self._pace.burst, self._now()))  # it may be forgotten by now
        self._failed[address] = replace(bucket, tokens=bucket.tokens + 1.0)

    def _share(self, address: str) -> None:
        self._failed.pop(address, None)
        _put(self._shared, address, self._now() + SHARED_SECONDS)


def _put(kept: OrderedDict[str, _Kept], address: str, value: _Kept) -> None:
    """Keep a value as the newest, and forget the oldest where there are too many."""
    kept[address] = value
    kept.move_to_end(address)
    while len(kept) > ADDRESSES_MAX:
        kept.popitem(last=False)
