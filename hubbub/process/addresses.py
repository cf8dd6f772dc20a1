"""Client addresses: parsing and trusted proxies. A leaf."""

import ipaddress
import re
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

# Peers on a UNIX socket have no address; this word among the trusted proxies trusts them.
UNIX = "unix"
FORWARDED = frozenset(
    {b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip"}
)
BRACKETED = re.compile(r"\[([^\]]*)\](?::\d+)?")
IPV6_PREFIX = 64  # One customer's network; its host part changes at will.


class TrustedProxies:
    """A set of trusted peers.

    Args:
        proxies: addresses, networks (`10.0.0.0/8`) and `unix`.

    Raises:
        ValueError: an entry is none of these.
    """

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
    """Parse an IP address, with or without a port; IPv4 in IPv6 becomes IPv4. None: not an address."""
    if (bracketed := BRACKETED.fullmatch(text)) is not None:
        text = bracketed[1]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    if "%" in text:  # An IPv6 zone may contain any character.
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def is_loopback(address: str | None) -> bool:
    """Whether the peer is on this machine; None (a UNIX socket) is."""
    parsed = parse_address(address) if address else None
    return address is None or (parsed is not None and parsed.is_loopback)


def network_of(address: str | None) -> str:
    """The key for limits by address: an IPv4 address, or the /64 network of an IPv6 address."""
    if address is None:
        return UNIX
    parsed = parse_address(address)
    if isinstance(parsed, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((parsed, IPV6_PREFIX), strict=False))
    return address
