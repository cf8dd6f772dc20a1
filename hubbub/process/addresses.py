"""Addresses of clients: what they are read from, and what a limit by address counts as one. A leaf."""

import functools
import ipaddress
import re
from collections.abc import Iterable

from django.conf import settings

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Who speaks on a UNIX socket has no address; this word, among the trusted proxies, trusts it.
UNIX = "unix"
FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip"}
)
BRACKETED = re.compile(r"\[([^\]]*)\](?::\d+)?")
IPV6_PREFIX = 64  # What one customer of a provider has for themselves, and changes within as they like.


class TrustedProxies:
    """Addresses and networks (`10.0.0.0/8`), and `unix`. ValueError for what is neither."""

    def __init__(self, proxies: Iterable[str]) -> None:
        words = list(proxies)
        self._networks = [ipaddress.ip_network(word) for word in words if word != UNIX]
        self._unix = UNIX in words

    def __contains__(self, address: str | None) -> bool:
        if address is None:
            return self._unix
        parsed = parse_address(address)
        return parsed is not None and any(parsed in network for network in self._networks)


def parse_address(text: str) -> Address | None:
    """An IP address, also with a port or as IPv4 in IPv6; None for anything else."""
    if (bracketed := BRACKETED.fullmatch(text)) is not None:
        text = bracketed[1]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if "%" in text:  # A zone: of no use here, and it may hold any character.
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(address: str | None) -> bool:
    """Whether it comes from this machine; so does whoever speaks on a UNIX socket, which is None."""
    parsed = parse_address(address) if address else None
    return address is None or (parsed is not None and parsed.is_loopback)


def stands_for_many(address: str | None) -> bool:
    """Whether it may be a proxy's: all come from this machine as long as settings name no proxy."""
    return not getattr(settings, "TRUSTED_PROXIES", ()) and is_loopback(address)


def counted_address(peer: str | None) -> str | None:
    """What a limit on connections counts one from `peer` under. None: they are those of many clients, so by nothing.

    That is a UNIX socket, a trusted proxy, and this machine where a proxy is trusted: it may be on it.
    """
    proxies = tuple(getattr(settings, "TRUSTED_PROXIES", ()))
    if peer is None or (proxies and (is_loopback(peer) or peer in _trusted(proxies))):
        return None
    return network_of(peer)


@functools.lru_cache(maxsize=8)
def _trusted(proxies: tuple[str, ...]) -> TrustedProxies:
    return TrustedProxies(proxies)


def network_of(address: str | None) -> str:
    """What a limit by address counts as one: an IPv4 address, and the network of an IPv6 one."""
    if address is None:
        return UNIX
    parsed = parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return address
