"""Declares topics and commands in tests, and forgets them after each."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from hubbub import SIGNED_IN, VIEW, Topic, command
from hubbub.auth import tokens
from hubbub.topics import topic as registry
from hubbub.topics.commands import BadDeclaration


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> dict[str, type[Topic]]:
    """The declared topics; those of a test are forgotten after it."""
    monkeypatch.setattr(registry, "_topics", dict(registry._topics))
    monkeypatch.setattr(tokens, "_declared", dict(tokens._declared))
    return registry._topics


def declare(name: Any = "thing", *, key: Any = None, bases: tuple[type, ...] = (Topic,), **attributes: Any) -> Any:
    """Declare `class ThingTopic(Topic, name=…)` with a state for all users, and these attributes."""
    defaults = {"permission": SIGNED_IN, "state": lambda self: None}
    body = {**defaults, **attributes, "__module__": __name__, "__qualname__": "ThingTopic"}
    kept = {attribute: value for attribute, value in body.items() if value is not ...}
    return type(Topic)("ThingTopic", bases, kept, name=name, key=key)


def declare_with(method: Callable[..., Any], name: Any = None, *, permission: Any = VIEW, **options: Any) -> Any:
    """Declare a topic with this method, called `vote`, as its command."""
    method.__name__, method.__qualname__ = "vote", "ThingTopic.vote"
    return declare(vote=command(name, permission=permission, **options)(method))


def refusal(declaration: Callable[[], Any]) -> str:
    """The message of the refused declaration, without its place."""
    with pytest.raises(BadDeclaration) as refused:
        declaration()
    message, place = str(refused.value).rsplit(" (", 1)
    assert re.fullmatch(r"[\w.]+, line \d+\)", place), place
    return message


async def application(scope: Any, receive: Any, send: Any) -> None:
    """An ASGI application without routes, for ASGI_APPLICATION of checks."""


def nothing(self: Any, user: Any) -> None:
    """A method that is good as a command."""
