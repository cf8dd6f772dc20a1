"""System checks: what would work in a trial, and fail or be open in use. docs/settings.md lists them."""

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
from hubbub.process.descriptors import needed

MIN_DAPHNE = (4, 2)  # hubbub/server/server.py is built on the insides of this one and later.
IN_MEMORY = "channels.layers.InMemoryChannelLayer"
LAYERS = '{"default": {"BACKEND": "hubbub.delivery.layer.RedisPubSubLayer"}}'
NEEDED_APPS = ("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions")
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
                "There is no channel layer that connects processes." if backend else "There is no channel layer.",
                hint=f"What one process publishes, no other hears. Set it: CHANNEL_LAYERS = {LAYERS}.",
                id="hubbub.E001",
            )
        ]
    hosts = _hosts_of(layer)
    if not hosts or [_address(one) for one in hosts] == [getattr(settings, "REDIS_URL", "")]:
        return []
    return [
        Warning(
            "The channel layer uses another Redis than REDIS_URL.",
            hint="Presence, limits and /readyz ask that of REDIS_URL: while the other is away, /readyz says nothing. "
            "Leave the layer's hosts out: it then takes REDIS_URL.",
            id="hubbub.W015",
        )
    ]


@register("hubbub")
def check_daphne(**_: Any) -> list[CheckMessage]:
    try:
        version = metadata.version("daphne")
    except metadata.PackageNotFoundError:
        return []  # Served by another one.
    if tuple(int(number) for number in re.findall(r"\d+", version)[:2]) >= MIN_DAPHNE:
        return []
    return [
        Error(
            f"daphne {version} is too old for hubbub.server.",
            hint="Install what requirements.txt pins.",
            id="hubbub.E002",
        )
    ]


@register("hubbub")
def check_session_engine(**_: Any) -> list[CheckMessage]:
    if issubclass(import_module(settings.SESSION_ENGINE).SessionStore, DatabaseSession):
        return []
    return [
        Error(
            f"Sessions of {settings.SESSION_ENGINE} do not stand in the database.",
            hint="Whether the sessions of open sockets still hold is asked of the database, for all of them at once. "
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
            "ALLOWED_HOSTS takes any host, and the site has cookies.",
            hint="A page of any name that somebody points at this address then counts as the site's own, also when it "
            "opens a socket. Name the hosts.",
            id="hubbub.W001",
        )
    ]


@register("hubbub")
def check_connections(**_: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"The database {alias!r} keeps connections: CONN_MAX_AGE is {database['CONN_MAX_AGE']}.",
            hint="Under ASGI each request for a page has a thread of its own, whose connection nobody uses again. "
            "Set it to 0, and for PostgreSQL use the pool in OPTIONS. The threads of sockets keep theirs anyway.",
            id="hubbub.W002",
        )
        for alias, database in settings.DATABASES.items()
        if database.get("CONN_MAX_AGE", 0) != 0
    ]


@register("hubbub")
def check_redis(**_: Any) -> list[CheckMessage]:
    return [
        Warning(
            f"The Redis at {host} asks for no password.",
            hint="Who reaches it reads and writes what sockets are sent. Give it one (requirepass, or a user by ACL), "
            "and put it into the URL: redis://:password@host:port.",
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
            "The site is for https alone, and no proxy is trusted to say that a request came by it.",
            hint="Every request is redirected to https, for ever. Name the proxy in HUBBUB_TRUSTED_PROXIES.",
            id="hubbub.W005",
        )
    ]


@register("hubbub")
def check_descriptors(**_: Any) -> list[CheckMessage]:
    """The server raises the soft limit by itself; the hard one only its surroundings can."""
    wanted = needed(conf.settings())
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard == resource.RLIM_INFINITY or hard >= wanted:
        return []
    return [
        Warning(
            f"A process may open {hard} descriptors; the connections that the settings allow need {wanted}.",
            hint="Past that connections wait. Raise the limit (ulimit -Hn, LimitNOFILE), or lower HUBBUB_MAX_SOCKETS "
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
        return []  # Not made yet: it is made for its owner only.
    if not mode & 0o077:
        return []
    return [
        Warning(
            f"The data folder {folder} is open to other users of this machine (mode {mode:03o}).",
            hint=f"The database, the secret key and the sockets are in it. Close it: chmod -R go= {folder}",
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
            hint="The channel layer, presence, limits and /readyz use that Redis: REDIS_URL = 'redis://…'. "
            "For the one that `up` starts: from hubbub.supervisor.private_redis import socket_path; "
            "REDIS_URL = f'unix://{socket_path(VAR_DIR)}'.",
            id="hubbub.E010",
        )
    ]


@register("hubbub")
def check_apps(**_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"INSTALLED_APPS lacks {name!r}.",
            hint="Sockets are let in by Django's sessions and users.",
            id="hubbub.E011",
        )
        for name in missing_apps()
    ]


@register("hubbub")
def check_serving(**_: Any) -> list[CheckMessage]:
    """What the commands that serve read, and other ASGI servers do not need."""
    found: list[CheckMessage] = []
    if not getattr(settings, "VAR_DIR", None):
        hint = "Name a folder for the sockets and the lock of a run: VAR_DIR = BASE_DIR / 'var'."
        found.append(Warning("VAR_DIR is not set: `up` and `runserver` refuse to start.", hint=hint, id="hubbub.W010"))
    if not getattr(settings, "ASGI_APPLICATION", None):
        hint = "Name the application with the routes of sockets: ASGI_APPLICATION = 'mysite.asgi.application'."
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
            "TOKEN_SCOPES is not set: access tokens have no scopes, and open no endpoint that asks for one.",
            hint="Name them, each with what it allows: TOKEN_SCOPES = {'hands.raise': 'Raise a hand.'}, or {}.",
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
            hint="Name a folder for them: STATIC_ROOT = BASE_DIR / 'static'.",
            id="hubbub.W013",
        )
    ]


@register("hubbub")
def check_some_host(**_: Any) -> list[CheckMessage]:
    if settings.ALLOWED_HOSTS or settings.DEBUG:
        return []
    return [
        Warning(
            "ALLOWED_HOSTS is empty and DEBUG is off: pages are answered with 400, sockets with 403.",
            hint="Name the hosts of the site: ALLOWED_HOSTS = ['chat.example.org'].",
            id="hubbub.W014",
        )
    ]


def missing_apps() -> list[str]:
    return [name for name in NEEDED_APPS if not apps.is_installed(name)]


def missing_for_pages() -> list[str]:
    """Which lines of settings an app lacks that has pages for people who are signed in."""
    lines = [] if apps.is_installed(PAGES_APP) else [f"INSTALLED_APPS lacks {PAGES_APP!r}."]
    there = [_imported(name) for name in settings.MIDDLEWARE]
    for name in PAGES_MIDDLEWARE:
        needed = _imported(name)
        # Of an app that is missing itself, E011 says so.
        if needed and not any(isinstance(one, type) and issubclass(one, needed) for one in there):
            lines.append(f"MIDDLEWARE lacks {name!r}.")
    return lines


def missing_scopes(names: Iterable[str]) -> list[str]:
    """Those of `names` that no access token can be given. Without TOKEN_SCOPES at all: none, W012 says so."""
    known = getattr(settings, "TOKEN_SCOPES", None)
    return [] if known is None else [name for name in names if name not in known]


def check_address(host: str) -> list[CheckMessage]:
    """For commands that serve, before they listen on `host`: no setting says where that is."""
    if not settings.DEBUG or not is_public(host):
        return []
    return [
        Warning(
            f"DEBUG is on, and {host} can be reached from elsewhere.",
            hint="Pages of errors show settings and code to everybody. Leave DEBUG unset, or listen on 127.0.0.1.",
            id="hubbub.W004",
        )
    ]


def is_public(host: str) -> bool:
    """Whether others than this machine may reach the address, or what the name stands for."""
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")


def _imported(name: str) -> Any:
    """None for what is not there: Django says that by itself."""
    try:
        return import_string(name)
    except (ImportError, RuntimeError):
        return None


def _redis_hosts() -> Iterator[tuple[str, bool]]:
    """(host, whether a password is given) of each Redis on a network; a socket has permissions instead."""
    hosts = [one for layer in _layers().values() for one in _hosts_of(layer)]
    for given in [getattr(settings, "REDIS_URL", ""), *hosts]:
        # As channels_redis takes them: a URL, (host, port), or a dict of what a connection is made with.
        options = given if isinstance(given, dict) else {"address": given}
        match options:
            case {"address": str(address)}:
                parts = urlsplit(address)
                if parts.scheme in ("redis", "rediss"):
                    yield parts.hostname or "localhost", bool(parts.password or options.get("password"))
            case {"address": [str(host), *_]} | {"host": str(host)}:
                yield host, bool(options.get("password"))


def _layers() -> dict[str, dict[str, Any]]:
    """CHANNEL_LAYERS, without what is no layer."""
    layers = getattr(settings, "CHANNEL_LAYERS", None)
    if not isinstance(layers, dict):
        return {}
    return {name: layer for name, layer in layers.items() if isinstance(layer, dict)}


def _hosts_of(layer: dict[str, Any]) -> list[Any]:
    hosts = (layer.get("CONFIG") or {}).get("hosts") or ()
    return [hosts] if isinstance(hosts, str) else list(hosts)


def _address(host: Any) -> Any:
    return host.get("address") if isinstance(host, dict) else host
