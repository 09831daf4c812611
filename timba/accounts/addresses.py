"""IP addresses: the address of a request's caller, and the group by which rate limits count it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

# Providers assign each customer at least one network of this size.
_IPV6_PREFIX: Final = 64
# The first characters of what is too long to be an address are none either.
_LONGER_THAN_ANY: Final = 64
# Some proxies append the port to the address.
_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<v4>[0-9.]+))(?::[0-9]+)?")


def address_group(address: str) -> str:
    """Return an IPv4 address itself, and the first address of an IPv6 address's /64 network.

    The result fits a column for addresses. A malformed address is returned unchanged.
    """
    normalized = _normalized(address)
    if normalized is None or ":" not in normalized:
        return normalized or address
    network = IPv6Network((IPv6Address(normalized).packed, _IPV6_PREFIX), strict=False)
    return str(network.network_address)


def resolve_caller_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the address of the caller: the last one that is not a trusted proxy's.

    `peer` is the address of the connection, `forwarded_for` the value of X-Forwarded-For. The
    header is read from its end, where the nearest proxy appends, and only as long as the proxies
    are trusted: a client can forge the rest. Reading stops at a malformed entry.
    """
    caller = _normalized(peer) or peer
    for hop in reversed([hop for hop in map(str.strip, forwarded_for.split(",")) if hop]):
        if not is_within(caller, trusted):
            break
        match = _WITH_PORT.fullmatch(hop)
        address = _normalized(match["v6"] or match["v4"] if match else hop)
        if address is None:
            break
        caller = address
    return caller


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Return whether the address belongs to one of the networks."""
    normalized = _normalized(address) if networks else None
    if normalized is None:
        return False
    parsed = ip_address(normalized)
    return any(parsed in network for network in networks)


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`, a name or an address."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Parse networks such as `10.0.0.0/8`; raise ValueError for a malformed one."""
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def _normalized(address: str) -> str | None:
    """Return the address in its one spelling, IPv4 mapped into IPv6 as IPv4; None for no address.

    The zone of a link-local address names an interface of this machine, not another caller.
    """
    return _parse(address.partition("%")[0][:_LONGER_THAN_ANY])


@lru_cache(maxsize=1024)
def _parse(address: str) -> str | None:
    try:
        parsed = ip_address(address)
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
