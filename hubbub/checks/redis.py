"""System checks of Redis and the channel layer."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from hubbub import conf
from hubbub.checks.serving import is_public

IN_MEMORY = "channels.layers.InMemoryChannelLayer"
LAYERS = '{"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}'


@register("hubbub")
def check_channel_layer(**_: Any) -> list[CheckMessage]:
    layer = _layers().get("default", {})
    backend = layer.get("BACKEND")
    hint = f"Set CHANNEL_LAYERS = {LAYERS}."
    if not backend:
        return [Error("CHANNEL_LAYERS has no default channel layer.", hint=hint, id="hubbub.E001")]
    if is_in_memory():
        return [
            Warning(
                "The channel layer in memory connects no processes: servers refuse to start.",
                hint=f"Events reach only sockets of the process that publishes them. {hint}",
                id="hubbub.W030",
            )
        ]
    hosts = _hosts_of(layer)
    if not hosts or [_address(host) for host in hosts] == [conf.settings.usable().redis_url]:
        return []
    return [
        Warning(
            'The channel layer uses another Redis than HUBBUB["REDIS_URL"].',
            hint="/readyz misses an outage of that other Redis. "
            'Remove `hosts` from CHANNEL_LAYERS: the layer then uses HUBBUB["REDIS_URL"].',
            id="hubbub.W015",
        )
    ]


@register("hubbub")
def check_redis(**_: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"The URL of the Redis at {host} has no password.",
            hint="Any host that reaches this Redis can read and forge events. Set a password (requirepass or an ACL "
            "user), and put it into the URL: redis://:password@host:port.",
            id="hubbub.W003",
        )
        for host, has_password in sorted(set(_redis_hosts()))
        if not has_password and is_public(host)
    ]


@register("hubbub")
def check_redis_url(**_: Any) -> list[CheckMessage]:
    if conf.settings.usable().redis_url or is_in_memory() or _is_wrong("REDIS_URL"):
        return []
    unread = "The setting REDIS_URL outside of HUBBUB is not read. " if hasattr(settings, "REDIS_URL") else ""
    return [
        Error(
            'HUBBUB["REDIS_URL"] is not set.',
            hint=f"{unread}The channel layer, presence, limits and /readyz need it. "
            "Set HUBBUB = {'REDIS_URL': 'redis://localhost'}, or use the private Redis of `manage.py up`: "
            "from hubbub.supervisor.private_redis import socket_path; "
            "HUBBUB = {'REDIS_URL': f'unix://{socket_path(BASE_DIR / \"var\")}'}.",
            id="hubbub.E010",
        )
    ]


def is_in_memory() -> bool:
    """Whether the default channel layer is the one of Channels in memory."""
    return _layers().get("default", {}).get("BACKEND") == IN_MEMORY


def _is_wrong(key: str) -> bool:
    """Whether the key of HUBBUB has a wrong value, which another check reports."""
    return any(key in line for line in conf.settings.problems())


def _redis_hosts() -> Iterator[tuple[str, bool]]:
    """Yield (host, has a password) of each Redis on a network; a UNIX socket has permissions instead."""
    hosts = [host for layer in _layers().values() for host in _hosts_of(layer)]
    for configured in [conf.settings.usable().redis_url, *hosts]:
        # The forms of channels_redis: a URL, (host, port), or a dict of connection options.
        options = configured if isinstance(configured, dict) else {"address": configured}
        match options:
            case {"address": str(address)}:
                parts = urlsplit(address)
                if parts.scheme in ("redis", "rediss"):
                    yield parts.hostname or "localhost", bool(parts.password or options.get("password"))
            case {"address": [str(host), *_]} | {"host": str(host)}:
                yield host, bool(options.get("password"))


def _layers() -> dict[str, dict[str, Any]]:
    """CHANNEL_LAYERS, without entries that are not a dict."""
    layers = getattr(settings, "CHANNEL_LAYERS", None)
    if not isinstance(layers, dict):
        return {}
    return {name: layer for name, layer in layers.items() if isinstance(layer, dict)}


def _hosts_of(layer: dict[str, Any]) -> list[Any]:
    hosts = (layer.get("CONFIG") or {}).get("hosts") or ()
    return [hosts] if isinstance(hosts, str) else list(hosts)


def _address(host: Any) -> Any:
    return host.get("address") if isinstance(host, dict) else host
