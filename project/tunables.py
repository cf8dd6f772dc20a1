"""Tunables from the environment: each is the variable `HUBBUB_<FIELD>`."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from django.core.exceptions import ImproperlyConfigured

from hubbub.conf import Tunables

ENV_PREFIX = "HUBBUB_"

T = TypeVar("T", bound=Tunables)

# Variables of earlier versions, each with the one that took its place.
RENAMED = {
    "HUBBUB_COMMANDS_IN_WORK": "HUBBUB_MAX_COMMANDS_IN_FLIGHT",
    "HUBBUB_COMPARE_SECONDS": "HUBBUB_RECONCILE_SECONDS",
    "HUBBUB_CONNECTIONS": "HUBBUB_MAX_CONNECTIONS",
    "HUBBUB_CONNECTIONS_PER_ADDRESS": "HUBBUB_MAX_CONNECTIONS_PER_ADDRESS",
    "HUBBUB_GROUPS_PER_SOCKET": "HUBBUB_MAX_GROUPS_PER_SOCKET",
    "HUBBUB_KEPT_SAMPLES": "HUBBUB_HISTORY_SAMPLES",
    "HUBBUB_PASSWORD_TRIES": "HUBBUB_PASSWORD_ATTEMPTS",
    "HUBBUB_QUEUED_JOBS": "HUBBUB_MAX_QUEUED_JOBS",
    "HUBBUB_REQUESTS_IN_WORK": "HUBBUB_MAX_REQUESTS_IN_FLIGHT",
    "HUBBUB_REQUESTS_WAITING": "HUBBUB_MAX_REQUESTS_QUEUED",
    "HUBBUB_SIGN_IN_TRIES_PER_ACCOUNT": "HUBBUB_LOGIN_ATTEMPTS_PER_ACCOUNT",
    "HUBBUB_SIGN_IN_TRIES_PER_ACCOUNT_AND_ADDRESS": "HUBBUB_LOGIN_ATTEMPTS_PER_ACCOUNT_AND_ADDRESS",
    "HUBBUB_SIGN_IN_TRIES_PER_ADDRESS": "HUBBUB_LOGIN_ATTEMPTS_PER_ADDRESS",
    "HUBBUB_SIGN_UP_TRIES_PER_ADDRESS": "HUBBUB_SIGN_UP_ATTEMPTS_PER_ADDRESS",
    "HUBBUB_SILENT_SECONDS": "HUBBUB_UNRESPONSIVE_SECONDS",
    "HUBBUB_SOCKETS": "HUBBUB_MAX_SOCKETS",
    "HUBBUB_SOCKETS_PER_USER": "HUBBUB_MAX_SOCKETS_PER_USER",
    "HUBBUB_SWEEP_SECONDS": "HUBBUB_REVALIDATE_SECONDS",
    "HUBBUB_TRIES_SECONDS": "HUBBUB_LOGIN_ATTEMPTS_SECONDS",
    "HUBBUB_UNAUTHENTICATED": "HUBBUB_MAX_UNAUTHENTICATED",
    "HUBBUB_UNAUTHENTICATED_PER_ADDRESS": "HUBBUB_MAX_UNAUTHENTICATED_PER_ADDRESS",
}


def from_env(cls: type[T], environ: Mapping[str, str]) -> T:
    """An instance of `cls` from `environ`.

    Raises:
        ImproperlyConfigured: for a value out of bounds; names the variable and the values that are allowed.
    """
    given = {}
    for field in msgspec.structs.fields(cls):
        if (text := environ.get(env_name(field.name))) is not None:
            try:
                given[field.name] = msgspec.convert(text, field.type, strict=False)
            except msgspec.ValidationError:
                raise ImproperlyConfigured(f"{env_name(field.name)}={text!r}: {allowed(field)} is allowed.") from None
    return cls(**given)


def check_known(environ: Mapping[str, str], known: set[str]) -> None:
    """Refuse a `HUBBUB_` variable that nothing reads: a misspelt limit must not be silently the default."""
    for name in environ:
        if name in RENAMED:
            raise ImproperlyConfigured(f"{name} is called {RENAMED[name]} now.")
        if name.startswith(ENV_PREFIX) and name not in known:
            raise ImproperlyConfigured(f"{name} is not a setting of this project. See docs/settings.md for the list.")


def env_name(field: str) -> str:
    return ENV_PREFIX + field.upper()


def env_names(*classes: type[Tunables]) -> set[str]:
    return {env_name(field.name) for cls in classes for field in msgspec.structs.fields(cls)}


def limits_of(field: msgspec.structs.FieldInfo) -> msgspec.Meta:
    """The bounds and the reason of a field."""
    found: msgspec.Meta = field.type.__metadata__[0]
    return found


def allowed(field: msgspec.structs.FieldInfo) -> str:
    """The values that a field may have, in words."""
    kind = "a whole number" if field.type.__origin__ is int else "a number"
    limits = limits_of(field)
    return f"{kind} from {limits.ge} to {limits.le}"
