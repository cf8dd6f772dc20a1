"""System checks of Redis and the channel layer."""

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register

from hubbub import conf
from hubbub.checks.serving import is_public
from hubbub.process.importing import CannotImport, load

IN_MEMORY = "channels.layers.InMemoryChannelLayer"
LAYERS = '{"default": {"BACKEND": "hubbub.layer.RedisPubSubLayer"}}'


@register("hubbub")
def check_channel_layer(**_: Any) -> list[CheckMessage]:
    layer = _layers().get("default", {})
    hint = f"Set CHANNEL_LAYERS = {LAYERS}."
    if problem := _problem_of_layer(layer):
        return [Error(problem, hint=hint, id="hubbub.E001")]
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
    if conf.settings.usable().redis_url or is_in_memory() or _is_given("REDIS_URL"):
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


def _is_given(key: str) -> bool:
    """Whether HUBBUB has the key, or is no dictionary. If its value, or another one, is wrong, E020 reports that."""
    given = getattr(settings, "HUBBUB", None) or {}
    return not isinstance(given, Mapping) or bool(given.get(key))


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


def _problem_of_layer(layer: dict[str, Any]) -> str:
    """The reason why Channels cannot make the default channel layer; empty: it can."""
    backend, config = layer.get("BACKEND"), layer.get("CONFIG", {})
    if not backend:
        return "CHANNEL_LAYERS has no default channel layer."
    where = 'CHANNEL_LAYERS["default"]'
    if not isinstance(backend, str) or "." not in backend:
        return f"{where}: BACKEND={backend!r} is no dotted path."
    if not isinstance(config, dict):
        return f"{where}: CONFIG is of type {type(config).__name__}, and no dictionary."
    try:
        load(f"{where}: BACKEND={backend!r}", *backend.rsplit(".", 1))(**config)
    except CannotImport as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - a layer may raise any for its CONFIG
        return f"{where}: {' '.join(str(error).split()).rstrip('.') or type(error).__name__}."
    return ""


def _hosts_of(layer: dict[str, Any]) -> list[Any]:
    config = layer.get("CONFIG")
    hosts = config.get("hosts") if isinstance(config, dict) else None
    return list(hosts) if isinstance(hosts, list | tuple) else []


def _address(host: Any) -> Any:
    return host.get("address") if isinstance(host, dict) else host
