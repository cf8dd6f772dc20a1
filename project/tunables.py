"""Tunables from the environment: each is read from the variable `HUBBUB_<FIELD>`."""

from collections.abc import Mapping
from typing import TypeVar

import msgspec
from django.core.exceptions import ImproperlyConfigured

from hubbub.conf import Tunables

ENV_PREFIX = "HUBBUB_"

T = TypeVar("T", bound=Tunables)

# Variables of earlier versions, with their new names.
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
    """Read an instance of `cls` from `environ`.

    Raises:
        ImproperlyConfigured: for a value out of bounds, with the variable and the allowed values.
    """
    values = {}
    for field in msgspec.structs.fields(cls):
        if (text := environ.get(env_name(field.name))) is not None:
            try:
                values[field.name] = msgspec.convert(text, field.type, strict=False)
            except msgspec.ValidationError:
                raise ImproperlyConfigured(f"{env_name(field.name)}={text!r}: {allowed(field)} is allowed.") from None
    return cls(**values)


def check_known(environ: Mapping[str, str], known: set[str]) -> None:
    """Refuse unknown `HUBBUB_` variables: a misspelt limit must not silently have its default.

    Raises:
        ImproperlyConfigured: for an unknown variable, and for a former name.
    """
    for name in environ:
        if name in RENAMED:
            raise ImproperlyConfigured(f"{name} was renamed: set {RENAMED[name]} instead.")
        if name.startswith(ENV_PREFIX) and name not in known:
            raise ImproperlyConfigured(f"{name} is not a setting: see docs/settings.md for the list.")


def env_name(field: str) -> str:
    return ENV_PREFIX + field.upper()


def env_names(*classes: type[Tunables]) -> set[str]:
    return {env_name(field.name) for cls in classes for field in msgspec.structs.fields(cls)}


def limits_of(field: msgspec.structs.FieldInfo) -> msgspec.Meta:
    """Return the bounds and the reason of a field."""
    meta: msgspec.Meta = field.type.__metadata__[0]
    return meta


def allowed(field: msgspec.structs.FieldInfo) -> str:
    """Return the allowed values of a field as text: `a whole number from 1 to 64`."""
    kind = "a whole number" if field.type.__origin__ is int else "a number"
    limits = limits_of(field)
    return f"{kind} from {limits.ge} to {limits.le}"
