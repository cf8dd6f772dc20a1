"""Chat's part of the wire protocol: commands, answers, events. A leaf; the only file of chat that touches JSON."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from hubbub.protocol import Command, Event, Ok, Person, Ping, Presence

HISTORY_LIMIT = 100
HISTORY_DEFAULT = 50

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=50)]
# A database's integer holds no more.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]


class RoomJoin(Command, tag="room.join", frozen=True):
    """`after` and `epoch`: what the client has; without them it starts from the latest page."""

    room: Slug
    # Any integer: one from the future, or a negative one, is answered with the latest page.
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
    """`id` is made by the client: the same one is one message for ever."""

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

    A reader may not write: a permission shows the room to them.
    """

    slug: str
    title: str
    topic: str
    role: str
    archived: bool


class MessageState(msgspec.Struct, frozen=True):
    """A message as it is now. A deleted one keeps its place with an empty body."""

    seq: int
    id: UUID
    user: Person
    body: str
    at: datetime
    edited_at: datetime | None
    deleted: bool


class Joined(Ok, tag="ok", kw_only=True, frozen=True):
    """`complete`: `messages` is every message changed since `after`, by position; else the latest page, by seq.

    `partial`: only the changes up to `position` fit. The socket is not in the room yet; it joins again from there.
    `present`: who is in the room now; None when that is not known yet, and in a partial answer.
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
    """`more`: there are messages beyond this page, in the direction asked for (`around`: older ones)."""

    messages: list[MessageState]
    more: bool


class Posted(Ok, tag="ok", kw_only=True, frozen=True):
    """The message is committed."""

    seq: int
    position: int
    at: datetime


class Changed(Ok, tag="ok", kw_only=True, frozen=True):
    """The change is committed, or was already so."""

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
    """`changes`: those of title, topic and archived that changed."""

    room: str
    position: int
    changes: dict[str, Any]


class RoomClosed(Event, tag="room.closed", kw_only=True, frozen=True):
    """No later event of that room. `code`: `removed`, `banned` or `deleted`."""

    room: str
    code: str


class PresenceChanged(Event, tag="presence.changed", kw_only=True, omit_defaults=True, frozen=True):
    """Who came and went since the last one. Without `joined` and `left`: too many are present to be named."""

    room: str
    count: int
    joined: list[Person] | None = None
    left: list[Person] | None = None


def frame_size(frame: msgspec.Struct) -> int:
    """Bytes of the frame as it is sent."""
    return len(msgspec.json.encode(frame))


def encode_messages(messages: list[MessageState]) -> bytes:
    """The `messages` of an answer, to be put into it as they are."""
    return msgspec.json.encode(messages)
