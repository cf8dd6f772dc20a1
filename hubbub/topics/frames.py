"""Frames of protocol 2: every command and event names its topic."""

import functools
from typing import Any

import msgspec

from hubbub.protocol import Command, Ok, Presence, Ref, encode, to_json


class Join(Command, tag="join", frozen=True):
    """`after` and `epoch`: the position that the client has reached."""

    topic: str
    after: int | None = None
    epoch: str | None = None


class Leave(Command, tag="leave", frozen=True):
    topic: str


class Envelope(msgspec.Struct, frozen=True):
    """What every command of a topic has. Its other fields are the topic's own."""

    type: str
    ref: Ref
    topic: str


class Joined(Ok, tag="ok", kw_only=True, frozen=True, omit_defaults=True):
    """The answer to a join.

    Attributes:
        complete: `events` are all changes since the client's position; else `state` replaces what the client has.
        partial: there are more changes above `position`, and the socket is not a member yet.
    """

    topic: str
    epoch: str
    position: int
    complete: bool
    events: list[Any] | msgspec.UnsetType = msgspec.UNSET
    state: Any = msgspec.UNSET
    partial: bool = False
    present: Presence | None = None
    viewer: Any = None


class Done(Ok, tag="ok", kw_only=True, frozen=True, omit_defaults=True):
    """The answer to a command of a topic; `result`: what the method returned."""

    topic: str
    result: Any = msgspec.UNSET


class Changed(msgspec.Struct, tag_field="type", tag="changed", kw_only=True, frozen=True):
    """The new state of a topic."""

    topic: str
    epoch: str
    position: int
    state: msgspec.Raw


class Closed(msgspec.Struct, tag_field="type", tag="closed", kw_only=True, frozen=True):
    """The topic ended for this socket; `code` is an error code."""

    topic: str
    code: str


class PresenceChanged(msgspec.Struct, tag_field="type", tag="presence.changed", kw_only=True, frozen=True):
    topic: str
    count: int
    joined: list[Any] | None
    left: list[Any] | None


def event_text(address: str, event: Any, position: int | None = None) -> str:
    """Encode an event of a topic.

    Args:
        address: of the topic.
        event: a struct with a tag, or a dictionary with a `type`.
        position: of a stored change.

    Raises:
        TypeError: the event has no type.
    """
    text = encode(event)
    if not text.startswith('{"type":"'):
        raise TypeError(f"{address}: an event is a struct with a tag, or a dictionary that begins with its `type`")
    place = "" if position is None else f',"position":{position}'
    kind, quote, rest = text[9:].partition('"')
    return f'{{"type":"{kind}{quote},"topic":{_quoted(address)}{place}{rest}'


@functools.lru_cache(4096)
def _quoted(address: str) -> str:
    return to_json(address).decode()
