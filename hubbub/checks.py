"""System checks: settings that work in a trial but fail or are insecure in production. docs/settings.md lists them."""

import ipaddress
import re
import resource
import stat
from collections.abc import Iterable, Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.core.checks import CheckMessage, Error, Warning, register
from django.utils.module_loading import import_string

from hubbub import conf
from hubbub.process.descriptors import required_descriptors

MIN_DAPHNE = (4, 2)  # hubbub.server relies on internals of this version and later.
IN_MEMORY = "channels.layers.InMemoryChannelLayer"
LAYERS = '{"default": {"BACKEND": "hubbub.delivery.layer.RedisPubSubLayer"}}'
REQUIRED_APPS = ("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions")
PAGES_APP = "django.contrib.staticfiles"
PAGES_MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


@register("hubbub")
def check_channel_layer(**_: Any) -> list[CheckMessage]:
    layer = _layers().get("default", {})
    backend = layer.get("BACKEND")
    if not backend or backend == IN_MEMORY:
        return [
            Error(
                "The channel layer connects no processes." if backend else "No channel layer is configured.",
                hint=f"Events reach only sockets of the process that publishes them. Set CHANNEL_LAYERS = {LAYERS}.",
                id="hubbub.E001",
            )
        ]
    hosts = _hosts_of(layer)
    if not hosts or [_address(host) for host in hosts] == [getattr(settings, "REDIS_URL", "")]:
        return []
    return [
        Warning(
            "The channel layer uses another Redis than REDIS_URL.",
            hint="/readyz checks REDIS_URL alone and misses an outage of the other Redis. "
            "Remove `hosts` from CHANNEL_LAYERS: the layer then uses REDIS_URL.",
            id="hubbub.W015",
        )
    ]


@register("hubbub")
def check_daphne(**_: Any) -> list[CheckMessage]:
    try:
        version = metadata.version("daphne")
    except metadata.PackageNotFoundError:
        return []  # Another ASGI server.
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= MIN_DAPHNE:
        return []
    return [
        Error(
            f"daphne {version} is too old for hubbub.server: it needs {'.'.join(map(str, MIN_DAPHNE))} or later.",
            hint="Install the version in requirements.txt.",
            id="hubbub.E002",
        )
    ]


@register("hubbub")
def check_session_engine(**_: Any) -> list[CheckMessage]:
    if issubclass(import_module(settings.SESSION_ENGINE).SessionStore, DatabaseSession):
        return []
    return [
        Error(
            f"SESSION_ENGINE {settings.SESSION_ENGINE} does not store sessions in the database.",
            hint="The sessions of open sockets are re-checked in the database, all in one query. "
            'Set SESSION_ENGINE to "django.contrib.sessions.backends.db" or "….cached_db".',
            id="hubbub.E003",
        )
    ]


@register("hubbub")
def check_hosts(**_: Any) -> list[CheckMessage]:
    if "*" not in settings.ALLOWED_HOSTS:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS has '*': any host name is accepted.",
            hint="A page under any name that resolves to this address can open sockets as the site's own. "
            "List the host names of the site.",
            id="hubbub.W001",
        )
    ]


@register("hubbub")
def check_connections(**_: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"DATABASES[{alias!r}]: CONN_MAX_AGE is {database['CONN_MAX_AGE']}, which leaks connections under ASGI.",
            hint="Each page request has its own thread, and its connection is never reused. "
            "Set CONN_MAX_AGE to 0; on PostgreSQL use the pool in OPTIONS. Sockets have database threads of their own.",
            id="hubbub.W002",
        )
        for alias, database in settings.DATABASES.items()
        if database.get("CONN_MAX_AGE", 0) != 0
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
def check_proxies(**_: Any) -> list[CheckMessage]:
    proxies: list[str] = getattr(settings, "TRUSTED_PROXIES", [])
    if proxies or not settings.SECURE_SSL_REDIRECT:
        return []
    return [
        Warning(
            "The site redirects to https, but HUBBUB_TRUSTED_PROXIES is empty.",
            hint="Every request is redirected to https in a loop. Set HUBBUB_TRUSTED_PROXIES to the proxy's address.",
            id="hubbub.W005",
        )
    ]


@register("hubbub")
def check_descriptors(**_: Any) -> list[CheckMessage]:
    """The server raises the soft limit itself; the hard limit is set by its environment."""
    wanted = required_descriptors(conf.settings())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return []
    return [
        Warning(
            f"The limit of {hard} file descriptors is too low: the configured connections need {wanted}.",
            hint="New connections wait at the limit. Raise it (ulimit -Hn, LimitNOFILE), or lower HUBBUB_MAX_SOCKETS "
            "and HUBBUB_MAX_CONNECTIONS.",
            id="hubbub.W006",
        )
    ]


@register("hubbub")
def check_data_folder(**_: Any) -> list[CheckMessage]:
    folder = Path(getattr(settings, "VAR_DIR", "") or "/nonexistent")
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except OSError:
        return []  # Not created yet: it is created for its owner only.
    if not mode & 0o077:
        return []
    return [
        Warning(
            f"The data folder {folder} is accessible to other users of this machine (mode {mode:03o}).",
            hint=f"It contains the database, the secret key and the sockets. Run: chmod -R go= {folder}",
            id="hubbub.W008",
        )
    ]


@register("hubbub")
def check_redis_url(**_: Any) -> list[CheckMessage]:
    if getattr(settings, "REDIS_URL", ""):
        return []
    return [
        Error(
            "REDIS_URL is not set.",
            hint="The channel layer, presence, limits and /readyz need it. Set REDIS_URL = 'redis://…', or use the "
            "private Redis of `manage.py up`: from hubbub.supervisor.private_redis import socket_path; "
            "REDIS_URL = f'unix://{socket_path(VAR_DIR)}'.",
            id="hubbub.E010",
        )
    ]


@register("hubbub")
def check_apps(**_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"INSTALLED_APPS lacks {name!r}.",
            hint="Sockets are authenticated by Django's sessions and users. Add the app.",
            id="hubbub.E011",
        )
        for name in missing_apps()
    ]


@register("hubbub")
def check_serving(**_: Any) -> list[CheckMessage]:
    """Settings that `up` and `runserver` need, and other ASGI servers do not."""
    found: list[CheckMessage] = []
    if not getattr(settings, "VAR_DIR", None):
        hint = "Set a folder for sockets and the lock of a run: VAR_DIR = BASE_DIR / 'var'."
        found.append(Warning("VAR_DIR is not set: `up` and `runserver` refuse to start.", hint=hint, id="hubbub.W010"))
    if not getattr(settings, "ASGI_APPLICATION", None):
        hint = "Set the application that routes sockets: ASGI_APPLICATION = 'mysite.asgi.application'."
        found.append(
            Warning("ASGI_APPLICATION is not set: `up` and `runserver` refuse to start.", hint=hint, id="hubbub.W011")
        )
    return found


@register("hubbub")
def check_scopes(**_: Any) -> list[CheckMessage]:
    if hasattr(settings, "TOKEN_SCOPES"):
        return []
    return [
        Warning(
            "TOKEN_SCOPES is not set: access tokens are refused by every endpoint with a scope.",
            hint="List each scope with a description: TOKEN_SCOPES = {'hands.raise': 'Raise a hand.'}, or {} for none.",
            id="hubbub.W012",
        )
    ]


@register("hubbub")
def check_static_root(**_: Any) -> list[CheckMessage]:
    if settings.STATIC_ROOT or not apps.is_installed(PAGES_APP):
        return []
    return [
        Warning(
            "STATIC_ROOT is not set: `up` cannot collect static files.",
            hint="Set a folder for them: STATIC_ROOT = BASE_DIR / 'static'.",
            id="hubbub.W013",
        )
    ]


@register("hubbub")
def check_empty_hosts(**_: Any) -> list[CheckMessage]:
    if settings.ALLOWED_HOSTS or settings.DEBUG:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS is empty and DEBUG is off: pages get 400, sockets get 403.",
            hint="List the host names of the site: ALLOWED_HOSTS = ['chat.example.org'].",
            id="hubbub.W014",
        )
    ]


def missing_apps() -> list[str]:
    """Return the apps that the engine needs and INSTALLED_APPS lacks."""
    return [name for name in REQUIRED_APPS if not apps.is_installed(name)]


def missing_for_pages() -> list[str]:
    """Return one line for each app and middleware that pages of signed-in users need and settings lack."""
    lines = [] if apps.is_installed(PAGES_APP) else [f"INSTALLED_APPS lacks {PAGES_APP!r}."]
    installed = [_imported(name) for name in settings.MIDDLEWARE]
    for name in PAGES_MIDDLEWARE:
        required = _imported(name)
        # If the app itself is missing, E011 reports it.
        if required and not any(isinstance(item, type) and issubclass(item, required) for item in installed):
            lines.append(f"MIDDLEWARE lacks {name!r}.")
    return lines


def missing_scopes(names: Iterable[str]) -> list[str]:
    """Return the scopes of `names` that TOKEN_SCOPES lacks; none where it is not set, as W012 reports that."""
    known = getattr(settings, "TOKEN_SCOPES", None)
    return [] if known is None else [name for name in names if name not in known]


def check_address(host: str) -> list[CheckMessage]:
    """Check the address that a command is about to listen on: no setting has it, so `check` cannot."""
    if not settings.DEBUG or not is_public(host):
        return []
    return [
        Warning(
            f"DEBUG is on, and {host} is reachable from other hosts.",
            hint="Error pages show settings and code to every visitor. Unset DEBUG, or listen on 127.0.0.1.",
            id="hubbub.W004",
        )
    ]


def is_public(host: str) -> bool:
    """Whether other machines may reach the address or host name."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")


def _imported(name: str) -> Any:
    """The imported object; None where it does not exist, which Django reports itself."""
    try:
        return import_string(name)
    except (ImportError, RuntimeError):
        return None


def _redis_hosts() -> Iterator[tuple[str, bool]]:
    """Yield (host, has a password) of each Redis on a network; a UNIX socket has permissions instead."""
    hosts = [host for layer in _layers().values() for host in _hosts_of(layer)]
    for configured in [getattr(settings, "REDIS_URL", ""), *hosts]:
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
