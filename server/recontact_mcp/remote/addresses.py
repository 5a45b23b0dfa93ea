"""Which address a client is counted under, and what is kept of addresses: of so many, the newest."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

if TYPE_CHECKING:
    from collections import OrderedDict
    from collections.abc import Iterable

Client: TypeAlias = tuple[str, int] | None
"""Where a request comes from, as ASGI has it."""
_Kept = TypeVar("_Kept")

# ours: some megabytes; an address that was forgotten begins anew.
ADDRESSES_MAX: Final = 10_000
# source: RFC 6177 section 2, a site has at least that much, so a single address of it tells nobody apart
_IPV6_SITE: Final = 64


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


def keep_newest(kept: OrderedDict[str, _Kept], address: str, value: _Kept) -> None:
    """Keep a value as the newest, and forget the oldest where there are too many."""
    kept[address] = value
    kept.move_to_end(address)
    while len(kept) > ADDRESSES_MAX:
        kept.popitem(last=False)
