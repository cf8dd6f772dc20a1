"""The addresses that limits count by: a proxy's address belongs to many clients."""

import functools

from hubbub import conf
from hubbub.process.addresses import TrustedProxies, is_loopback, network_of


def is_shared(address: str | None) -> bool:
    """Whether the address may be a proxy's: with no trusted proxy set, clients behind a local proxy all share it."""
    return not conf.settings().trusted_proxies and is_loopback(address)


def counted_address(peer: str | None) -> str | None:
    """The key of `peer` for limits on connections.

    Returns:
        None where many clients share the peer: a UNIX socket, a trusted proxy, and this machine if a proxy is trusted.
    """
    proxies = conf.settings().trusted_proxies
    if peer is None or (proxies and (is_loopback(peer) or peer in _trusted(proxies))):
        return None
    return network_of(peer)


@functools.lru_cache(maxsize=8)
def _trusted(proxies: tuple[str, ...]) -> TrustedProxies:
    return TrustedProxies(proxies)
