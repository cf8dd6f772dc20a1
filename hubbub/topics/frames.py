"""Frames of protocol 2: every command and event names its topic."""

import functools
from typing import Any

import msgspec

from hubbub import conf
from hubbub.protocol import Command, ErrorCode, Ok, Presence, Ref, Refused, to_json

# Bytes of an answer beside the state, the events or the result: names of fields, the address, a `ref`, users present.
ENVELOPE_BYTES = 2_048


class Join(Command, tag="join", frozen=True):
    """`after` and `epoch`: the position that the client has reached."""

    topic: str
    after: int | None = None
    epoch: str | None = None


class Leave(Command, tag="leave", frozen=True):
    topic: str


class State(Command, tag="state", frozen=True):
    """Reads a topic without joining it."""

    topic: str


class Envelope(msgspec.Struct, frozen=True):
    """The fields of every command; the others are those of its type."""

    type: str
    ref: Ref
    topic: str = ""


class Joined(Ok, tag="ok", kw_only=True, frozen=True, omit_defaults=True):
    """The answer to a join, and to `state`.

    Attributes:
        complete: `events` are all changes since the client's position; else `state` replaces what the client has.
        partial: there are more changes above `position`, and the socket is not a member yet.
    """

    topic: str
    epoch: str
    position: int
    complete: bool
    events: Any = msgspec.UNSET
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


class Moved(msgspec.Struct, tag_field="type", tag="moved", kw_only=True, frozen=True):
    """Of a list: the new summaries of topics that moved, or came to the list."""

    topic: str
    items: list[msgspec.Raw]


class Gone(msgspec.Struct, tag_field="type", tag="gone", kw_only=True, frozen=True):
    """Of a list: topics that are not in it any more."""

    topic: str
    keys: list[str]


class ListState(msgspec.Struct, kw_only=True, frozen=True):
    """The state of a list. `more`: the other summaries follow as `moved`."""

    items: list[msgspec.Raw]
    more: bool


class PresenceChanged(msgspec.Struct, tag_field="type", tag="presence.changed", kw_only=True, frozen=True):
    topic: str
    count: int
    joined: list[Any] | None
    left: list[Any] | None


# Types of the engine's own frames, which clients read before those of a topic.
RESERVED_TYPES = {
    *("ok", "error", "pong", "hello", "auth.required", "service.changed", "person.changed"),
    *("changed", "closed", "presence.changed", "moved", "gone"),
    "state",  # Of the Python client, which hands out states beside the events.
}
# Fields that `event_text` adds. A second one of the same name would hide them.
RESERVED_FIELDS = {"topic", "position"}


class EventTooLong(Refused):
    """An event that does not fit into a frame."""


def max_bytes() -> int:
    """The largest state, event or result that fits into a frame, in bytes."""
    return conf.settings().sent_frame_bytes - ENVELOPE_BYTES


def room_for_presence(answer: Joined, size: int, *, is_page: bool) -> int:
    """The bytes that the users present may take in the answer to a join.

    Args:
        answer: without them.
        size: of the whole answer for a page; else of the users alone, since a state may be larger.
        is_page: whether the answer is a page of a log.

    Raises:
        Refused: `too_long`: state and viewer do not fit into one frame.
    """
    parts = [part for part in (answer.state, answer.viewer, answer.events) if isinstance(part, msgspec.Raw)]
    used = sum(len(bytes(part)) + 1 for part in parts)
    if used > (limit := max_bytes()):
        raise Refused(ErrorCode.TOO_LONG, f"state and viewer of {answer.topic} have {used} bytes, more than {limit}")
    return max(0, size - ENVELOPE_BYTES - used) if is_page else min(size, limit - used)


def result_json(command: str, result: Any) -> bytes:
    """Encode the result of a command. In its transaction: a result that cannot be sent undoes it.

    Raises:
        TypeError: msgspec does not encode the result.
        Refused: `too_long`.
    """
    text = to_json(result)
    if len(text) > (limit := max_bytes()):
        raise Refused(ErrorCode.TOO_LONG, f"the result of {command} has {len(text)} bytes, more than {limit}")
    return text


def event_text(address: str, event: Any, position: int | None = None) -> str:
    """Encode an event of a topic.

    Args:
        address: of the topic.
        event: a struct with a tag, or a dictionary with a `type`.
        position: of a stored change.

    Raises:
        TypeError: the event has no type, or a type or a field of the engine's.
        EventTooLong: it does not fit into a frame.
    """
    encoded = to_json(event)
    if len(encoded) > (limit := max_bytes()):
        name = "an event" if position is None else f"change {position}"
        raise EventTooLong(ErrorCode.TOO_LONG, f"{address}: {name} has {len(encoded)} bytes, more than {limit}")
    text = encoded.decode()
    if not text.startswith('{"type":"'):
        raise TypeError(f"{address}: an event is a struct with a tag, or a dictionary that begins with its `type`")
    kind, quote, rest = text[9:].partition('"')
    if kind in RESERVED_TYPES:
        raise TypeError(f"{address}: an event cannot be called {kind!r}")
    fields = event if isinstance(event, dict) else event.__struct_fields__
    if not RESERVED_FIELDS.isdisjoint(fields):
        raise TypeError(f"{address}: the event {kind!r} cannot have a field of its own called topic or position")
    place = "" if position is None else f',"position":{position}'
    return f'{{"type":"{kind}{quote},"topic":{_quoted(address)}{place}{rest}'


@functools.lru_cache(4096)
def _quoted(address: str) -> str:
    return to_json(address).decode()
