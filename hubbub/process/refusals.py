"""Errors of settings and declarations that cannot work: each is one line, without a traceback. A leaf."""

import os
import sys
from typing import Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import CommandError

ENGINE = "hubbub"
REFUSED = os.EX_CONFIG  # The exit status of a server whose settings or declarations cannot work.


class CannotServe(SystemExit, ImproperlyConfigured):
    """A program cannot start with these settings. Where nothing handles it, Python prints its line and exits."""


class BadDeclaration(CommandError, TypeError):
    """A topic, a command or an endpoint is declared in a way that cannot work. Raised at import.

    The text ends with the module and the line of the declaration. It is a `CommandError`, so a management command that
    imports the module prints one line. While Django loads the apps no command runs yet that could do so: the error is a
    `SystemExit`, too, of which Python prints the line.
    """

    def __new__(cls, problem: str, function: Any = None) -> "BadDeclaration":
        return super().__new__(cls if apps.ready else _BadDeclarationAtStart)

    def __init__(self, problem: str, function: Any = None) -> None:
        """`function`: the method that is declared wrongly; None: the line that is imported now."""
        place = place_of(function) if getattr(function, "__module__", None) else place_of_caller()
        super().__init__(f"{problem} ({place})")


class _BadDeclarationAtStart(SystemExit, BadDeclaration):
    def __init__(self, problem: str, function: Any = None) -> None:
        BadDeclaration.__init__(self, problem, function)
        self.code = str(self)


def place_of(function: Any) -> str:
    """The module and first line of a function."""
    return f"{function.__module__}, line {function.__code__.co_firstlineno}"


def place_of_caller() -> str:
    """The module and line outside of the engine that called it: `polls.topics, line 12`."""
    frame: Any = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == ENGINE:
        frame = frame.f_back
    return f"{frame.f_globals.get('__name__')}, line {frame.f_lineno}"
