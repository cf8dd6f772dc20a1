"""The CONFIG of the channel layer: a wrong option is one line, at the start instead of at the first message."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

KNOWN = frozenset(
    {"hosts", "capacity", "prefix", "on_disconnect", "on_reconnect", "symmetric_encryption_keys", "serializer_format"}
)
# Of the other layer of channels_redis, which may have had this CONFIG before: the pub/sub layer ignores them.
IGNORED = frozenset({"expiry", "group_expiry", "channel_capacity", "channel_layer"})
SCHEMES = ("redis://", "rediss://", "unix://")
KEYS_OF_HOST = frozenset({"address", "host", "path", "sentinels"})
HOSTS_ALLOWED = "a list of URLs such as 'redis://localhost', of (host, port), or of dictionaries with an address"
MAX_CAPACITY = 1_000_000


def check_options(options: Mapping[str, Any]) -> None:
    """Check the options of CONFIG. Raises ImproperlyConfigured, with the option and its allowed values."""
    if unknown := sorted(options.keys() - KNOWN - IGNORED):
        raise ImproperlyConfigured(f"CONFIG has an unknown option {unknown[0]!r}: known are {', '.join(sorted(KNOWN))}")
    hosts, capacity = options.get("hosts"), options.get("capacity")
    if hosts is not None and not (isinstance(hosts, list | tuple) and all(map(_is_host, hosts))):
        # Not the value: it may have a password.
        raise ImproperlyConfigured(f"the option `hosts` is {HOSTS_ALLOWED}")
    if capacity is not None and not (type(capacity) is int and 1 <= capacity <= MAX_CAPACITY):
        raise ImproperlyConfigured(f"capacity={capacity!r}: a whole number from 1 to {MAX_CAPACITY} is allowed")


def _is_host(host: Any) -> bool:
    match host:
        case str():
            return host.startswith(SCHEMES)
        case [str(), int()]:
            return True
        case dict():
            return bool(KEYS_OF_HOST & host.keys()) and _is_address(host.get("address"))
    return False


def _is_address(address: Any) -> bool:
    """Whether it may be the `address` of a host: none, a URL, or (host, port)."""
    return address is None or (not isinstance(address, dict) and _is_host(address))
