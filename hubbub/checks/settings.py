"""System checks of the dictionary HUBBUB, and the reasons for which a server refuses to start."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.core.management import get_commands

from hubbub import conf
from hubbub.checks.redis import check_channel_layer, check_redis_url
from hubbub.checks.site import missing_apps
from hubbub.conf.reading import SECTIONS
from hubbub.process.refusals import CannotServe

# Settings of earlier versions that no other library reads, with their keys in HUBBUB.
FORMER = {
    "FIRST_ADMIN": "FIRST_ADMIN",
    "HUBBUB_PROGRAMS": "PROGRAMS",
    "REDIS_PREFIX": "PREFIX",
    "TOKEN_SCOPES": "TOKEN_SCOPES",
}
LIST = "The page Settings lists every key with its default and its allowed values."


@register("hubbub")
def check_keys(**_: Any) -> list[CheckMessage]:
    return [Error(line, hint=LIST, id="hubbub.E020") for line in conf.settings.problems()]


@register("hubbub")
def check_names(**_: Any) -> list[CheckMessage]:
    return [
        Error(line, hint="Correct the name, or install the package or app that has it.", id="hubbub.E021")
        for line in (*_bad_sign_in(), *_bad_programs())
    ]


@register("hubbub")
def check_former(**_: Any) -> list[CheckMessage]:
    return [
        Error(
            f"The setting {name} is not read any more: set {conf.settings.named(key)}.",
            hint=f'Move its value: HUBBUB = {{"{key}": …}}. Then remove {name}.',
            id="hubbub.E022",
        )
        for name, key in FORMER.items()
        if hasattr(settings, name)
    ]


def require_settings() -> conf.Hubbub:
    """Return the engine's settings, for the composition of an ASGI application.

    Raises:
        CannotServe: the settings of the engine or of an app have an unknown key or a wrong value.
    """
    for section in SECTIONS:
        for line in section.problems():
            raise CannotServe(line)
    return conf.settings()


def start_refusal() -> str:
    """Return the line with which a server refuses to start; empty if it can start.

    A channel layer in memory is a warning of `check`, for tests and trials, and a reason here: other processes, such
    as tasks and commands, would reach no socket.
    """
    lines = [line for section in SECTIONS for line in section.problems()]
    found = [*check_names(), *check_former(), *check_channel_layer(), *check_redis_url()]
    lines += [message.msg for message in found if isinstance(message, Error) or message.id == "hubbub.W030"]
    return lines[0] if lines else ""


def _bad_sign_in() -> Iterator[str]:
    if missing_apps() or conf.settings.problems():
        return  # E011 and E020 report it.
    from hubbub.auth import own_sign_in  # Imports models, and checks are registered before them.

    try:
        own_sign_in.authenticator()
    except ImproperlyConfigured as error:
        yield f"{error}."


def _bad_programs() -> Iterator[str]:
    programs = conf.settings.usable().programs
    known = get_commands() if programs else {}
    for name, (command, *_) in programs.items():
        if command not in known:
            yield f"{conf.settings.named('programs')}[{name!r}]: no installed app has the command {command!r}."
