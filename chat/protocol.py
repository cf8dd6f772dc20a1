"""The chat's part of the wire protocol: commands, answers, events. A leaf; the only file of chat that uses JSON."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from hubbub.protocol import Command, Event, Ok, Person, Ping, Presence

HISTORY_LIMIT = 100
HISTORY_DEFAULT = 50

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=50)]
# The range of a database integer.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class RoomJoin(Command, tag="room.join", frozen=True):
    """`after` and `epoch`: the position that the client has reached; without them the answer is the latest page."""

    room: Slug
    # Any integer: a negative or future position is answered with the latest page.
    after: int | None = None
    epoch: str | None = None


class RoomLeave(Command, tag="room.leave", frozen=True):
    room: Slug


class RoomHistory(Command, tag="room.history", frozen=True):
    """Exactly one of `before`, `after` and `around`, each a seq."""

    room: Slug
    before: Number | None = None
    after: Number | None = None
    around: Number | None = None
    limit: Annotated[int, msgspec.Meta(ge=1, le=HISTORY_LIMIT)] = HISTORY_DEFAULT


class MessagePost(Command, tag="message.post", frozen=True):
    """`id` is made by the client: posts with the same id are one message."""

    room: Slug
    id: UUID
    body: str


class MessageEdit(Command, tag="message.edit", frozen=True):
    room: Slug
    seq: Number
    body: str


class MessageDelete(Command, tag="message.delete", frozen=True):
    room: Slug
    seq: Number


COMMANDS = Ping | RoomJoin | RoomLeave | RoomHistory | MessagePost | MessageEdit | MessageDelete


class RoomState(msgspec.Struct, frozen=True):
    """`role` is `member`, `moderator` or `reader`. A user of a public room without a membership counts as a member.

    A reader has the permission to read all rooms, and may not write.
    """

    slug: str
    title: str
    topic: str
    role: str
    archived: bool


class MessageState(msgspec.Struct, frozen=True):
    """The current state of a message. A deleted message keeps its seq and has an empty body."""

    seq: int
    id: UUID
    user: Person
    body: str
    at: datetime
    edited_at: datetime | None
    deleted: bool


class Joined(Ok, tag="ok", kw_only=True, frozen=True):
    """The answer to a join.

    `complete`: `messages` has every message changed since `after`, by position; otherwise the latest page, by seq.
    `partial`: only changes up to `position` fit; the socket is not in the room yet and joins again from there.
    `present`: the users in the room; None if not known yet, and in a partial answer.
    """

    room: RoomState
    epoch: str
    position: int
    complete: bool
    partial: bool = False
    messages: list[MessageState]
    more: bool
    read: int | None = None
    present: Presence | None = None


class History(Ok, tag="ok", kw_only=True, frozen=True):
    """`more`: there are more messages in the requested direction (for `around`: older ones)."""

    messages: list[MessageState]
    more: bool


class Posted(Ok, tag="ok", kw_only=True, frozen=True):
    """The message is committed."""

    seq: int
    position: int
    at: datetime


class Changed(Ok, tag="ok", kw_only=True, frozen=True):
    """The change is committed, now or before."""

    position: int


class MessageEvent(Event, kw_only=True, frozen=True):
    room: str
    position: int
    message: MessageState


class MessagePosted(MessageEvent, tag="message.posted", frozen=True):
    pass


class MessageEdited(MessageEvent, tag="message.edited", frozen=True):
    pass


class MessageDeleted(MessageEvent, tag="message.deleted", frozen=True):
    pass


class RoomChanged(Event, tag="room.changed", kw_only=True, frozen=True):
    """`changes`: the changed fields of title, topic and archived."""

    room: str
    position: int
    changes: dict[str, Any]


class RoomClosed(Event, tag="room.closed", kw_only=True, frozen=True):
    """The last event of the room. `code`: `removed`, `banned` or `deleted`."""

    room: str
    code: str


class PresenceChanged(Event, tag="presence.changed", kw_only=True, omit_defaults=True, frozen=True):
    """The users who joined and left since the last event. Without `joined` and `left`: too many users to list."""

    room: str
    count: int
    joined: list[Person] | None = None
    left: list[Person] | None = None


def frame_size(frame: msgspec.Struct) -> int:
    """The size of the encoded frame in bytes."""
    return len(msgspec.json.encode(frame))


def encode_messages(messages: list[MessageState]) -> bytes:
    """Encode the `messages` of an answer, to be embedded as raw JSON."""
    return msgspec.json.encode(messages)
