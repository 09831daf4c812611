"""Addresses are normalized, and only trusted proxies can forward another one."""

from __future__ import annotations

import pytest

from timba.accounts.addresses import (
    address_group,
    is_within,
    parse_networks,
    resolve_caller_address,
)

TRUSTED = parse_networks(["10.0.0.0/24", " 2001:db8:9::/48"])


@pytest.mark.parametrize(
    ("address", "group"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:DB8:1:2::", "2001:db8:1:2::"),
        ("2001:db8:1:3::6", "2001:db8:1:3::"),
        ("fe80::1%eth0", "fe80::"),
        ("::1", "::"),
        ("", ""),
        ("no address", "no address"),
    ],
)
def test_an_ipv6_address_is_counted_by_its_network(address: str, group: str) -> None:
    assert address_group(address) == group
    assert address_group(group) == group


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "caller"),
    [
        ("192.0.2.1", "8.8.8.8", "192.0.2.1"),
        ("10.0.0.1", "", "10.0.0.1"),
        ("10.0.0.1", "8.8.8.8", "8.8.8.8"),
        ("10.0.0.1", "1.1.1.1, 8.8.8.8, 10.0.0.2,", "8.8.8.8"),
        ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.1", "8.8.8.8, unknown, 10.0.0.2", "10.0.0.2"),
        ("10.0.0.1", "8.8.8.8:4711", "8.8.8.8"),
        ("10.0.0.1", "[2001:DB8::1]:4711", "2001:db8::1"),
        ("10.0.0.1", "[2001:db8::1]", "2001:db8::1"),
        ("::ffff:10.0.0.1", "::ffff:8.8.8.8", "8.8.8.8"),
        ("2001:db8:9::1", "8.8.8.8", "8.8.8.8"),
        ("", "8.8.8.8", ""),
    ],
)
def test_only_trusted_proxies_name_the_caller(peer: str, forwarded_for: str, caller: str) -> None:
    assert resolve_caller_address(peer, forwarded_for, TRUSTED) == caller


def test_networks_are_parsed_or_refused() -> None:
    assert is_within("192.168.7.200", parse_networks(["192.168.7.9/24"]))
    assert not is_within("proxy.local", TRUSTED)
    with pytest.raises(ValueError, match=r"proxy\.local"):
        parse_networks(["10.0.0.5", "proxy.local"])
