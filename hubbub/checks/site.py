"""System checks of Django's settings: apps, sessions, hosts, scopes and static files."""

from collections.abc import Collection
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore as DatabaseSession
from django.core.checks import CheckMessage, Error, Warning, register

from hubbub import conf
from hubbub.process.importing import CannotImport, load

REQUIRED_APPS = ("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.sessions")
STATIC_APP = "django.contrib.staticfiles"


@register("hubbub")
def check_session_engine(**_: Any) -> list[CheckMessage]:
    engine = settings.SESSION_ENGINE
    try:
        if issubclass(load(f"SESSION_ENGINE={engine!r}", engine, "SessionStore"), DatabaseSession):
            return []
        problem = f"SESSION_ENGINE {engine} does not store sessions in the database."
    except CannotImport as error:
        problem = str(error)
    return [
        Error(
            problem,
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


@register("hubbub")
def check_proxies(**_: Any) -> list[CheckMessage]:
    if conf.settings.usable().trusted_proxies or not settings.SECURE_SSL_REDIRECT:
        return []
    return [
        Warning(
            'The site redirects to https, but HUBBUB["TRUSTED_PROXIES"] is empty.',
            hint="Every request is redirected to https in a loop. List the proxy there: ['127.0.0.1'].",
            id="hubbub.W005",
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
def check_scopes(**_: Any) -> list[CheckMessage]:
    if _known_scopes() is not None:
        return []
    return [
        Warning(
            'HUBBUB["TOKEN_SCOPES"] is not set, and no topic declares scopes: endpoints with a scope refuse tokens.',
            hint="List each scope with a description: {'hands.raise': 'Raise a hand.'}, or {} for none.",
            id="hubbub.W012",
        )
    ]


@register("hubbub")
def check_static_root(**_: Any) -> list[CheckMessage]:
    if settings.STATIC_ROOT or not apps.is_installed(STATIC_APP):
        return []
    return [
        Warning(
            "STATIC_ROOT is not set: `up` cannot collect static files.",
            hint="Set a folder for them: STATIC_ROOT = BASE_DIR / 'static'.",
            id="hubbub.W013",
        )
    ]


def missing_apps() -> list[str]:
    """Return the apps that the engine needs and INSTALLED_APPS lacks."""
    return [name for name in REQUIRED_APPS if not apps.is_installed(name)]


def _known_scopes() -> Collection[str] | None:
    """The scopes of topics and of TOKEN_SCOPES; None: there are no topics, and TOKEN_SCOPES is not set."""
    if missing_apps() or conf.settings.problems():
        return ()  # E011 and E020 report it.
    from hubbub.auth.tokens import known_scopes  # Imports models, and checks are registered before them.

    return known_scopes() or conf.settings().token_scopes
