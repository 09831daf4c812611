"""Network addresses: who a request comes from, and as what its address is counted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

Network = IPv4Network | IPv6Network

# A provider gives each of its customers at least one network of this size.
_IPV6_PREFIX: Final = 64
# Some proxies write the port behind the address.
_WITH_PORT: Final = re.compile(r"(?:\[(?P<v6>[^\]]*)\]|(?P<v4>[0-9.]+))(?::[0-9]+)?")


def address_group(address: str) -> str:
    """Return the address to count: an IPv4 address itself, of an IPv6 one its /64 network.

    A network is named by its first address, so that columns for addresses take it. A text that is
    no address is its own group.
    """
    plain = _normalized(address)
    if plain is None or ":" not in plain:
        return plain or address
    network = IPv6Network((IPv6Address(plain).packed, _IPV6_PREFIX), strict=False)
    return str(network.network_address)


def resolve_caller_address(peer: str, forwarded_for: str, trusted: Sequence[Network]) -> str:
    """Return the caller's address: the last one that no trusted proxy has.

    `forwarded_for` is the value of X-Forwarded-For. It is read from its end, where the nearest
    proxy has written, and only as far as the proxies are trusted: anyone can write what stands
    before that. Of an entry that is no address, nothing further is believed.
    """
    caller = _normalized(peer) or peer
    for hop in reversed([hop for hop in map(str.strip, forwarded_for.split(",")) if hop]):
        if not is_within(caller, trusted):
            break
        found = _WITH_PORT.fullmatch(hop)
        address = _normalized(found["v6"] or found["v4"] if found else hop)
        if address is None:
            break
        caller = address
    return caller


def is_within(address: str, networks: Sequence[Network]) -> bool:
    """Return whether the address belongs to one of the networks."""
    plain = _normalized(address)
    if plain is None:
        return False
    parsed = ip_address(plain)
    return any(parsed in network for network in networks)


def parse_networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """Return the networks that these texts name; raise ValueError where one names none."""
    return tuple(ip_network(text.strip(), strict=False) for text in texts)


def _normalized(address: str) -> str | None:
    """Return the address in its one spelling, IPv4 mapped into IPv6 as IPv4; None for no address.

    The zone of a link-local address names an interface of this machine, not another caller.
    """
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    mapped = parsed.ipv4_mapped if isinstance(parsed, IPv6Address) else None
    return str(mapped or parsed)
