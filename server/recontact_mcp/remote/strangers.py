"""What strangers may cost: how often an address may fail to prove itself, and how often strangers make us ask.

Whoever has proved something is never counted here: a token that is known to be good, a person who is signed in. An
address counts only where it tells one client from another; its failures not while people who can prove themselves share
it, but what it makes us ask always.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from recontact_mcp.remote.addresses import address_of, keep_newest
from recontact_mcp.remote.buckets import Bucket, Pace
from recontact_mcp.remote.questions import USUAL, Questions
from recontact_mcp.remote.refusals import too_strange

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from recontact_mcp.remote.addresses import Client
    from recontact_mcp.remote.questions import Allowance, Told

# ours: people come back within the hour, and who left an office no longer speaks for it.
SHARED_SECONDS: Final = 3_600.0


@dataclass(slots=True)
class Try:
    """What came of one unproven request: None as long as nobody can tell."""

    proved: bool | None = None


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

    *refused* is told why somebody was: `address`, `share` or `questions`.
    """

    def __init__(
        self,
        allowance: Allowance = USUAL,
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
        keep_newest(self._failed, address, bucket)
        if wait:
            self._refused("address")
            raise too_strange(wait)

    def _give_back(self, address: str) -> None:
        bucket = self._failed.get(address, Bucket(self._pace.burst, self._now()))  # it may be forgotten by now
        self._failed[address] = replace(bucket, tokens=bucket.tokens + 1.0)

    def _share(self, address: str) -> None:
        self._failed.pop(address, None)
        keep_newest(self._shared, address, self._now() + SHARED_SECONDS)
