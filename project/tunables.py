"""Dictionaries of settings from the environment: each tunable is read from the variable `HUBBUB_<FIELD>`."""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from hubbub.conf import Tunables
from hubbub.conf.declaring import numbers_of
from hubbub.conf.reading import convert

ENV_PREFIX = "HUBBUB_"

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


def from_env(cls: type[Tunables], environ: Mapping[str, str]) -> dict[str, Any]:
    """Read the tunables of `cls` from `environ`.

    Returns:
        All of them by key: a dictionary for Django's settings.

    Raises:
        ImproperlyConfigured: for a value out of bounds, with the variable and the allowed values.
    """
    values = {}
    for field in numbers_of(cls):
        if (text := environ.get(name := env_name(field.name))) is not None:
            try:
                values[field.name] = convert(text, field, strict=False)
            except ImproperlyConfigured as error:
                raise ImproperlyConfigured(f"{name}{error}") from None
    read = cls(**values)
    for problem in read.problems(env_name):
        raise ImproperlyConfigured(problem)
    return {field.name.upper(): getattr(read, field.name) for field in numbers_of(cls)}


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
    return {env_name(field.name) for cls in classes for field in numbers_of(cls)}
