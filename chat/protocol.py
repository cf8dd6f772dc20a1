"""The chat's part of the wire protocol: arguments, results, events. A leaf; the only file of chat that uses JSON."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec

from hubbub.protocol import Event, Person

HISTORY_LIMIT = 100
HISTORY_DEFAULT = 50

Slug = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*\Z", max_length=50)]
# The range of a database integer.
Number = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
Limit = Annotated[int, msgspec.Meta(ge=1, le=HISTORY_LIMIT)]


class MessagePost(msgspec.Struct, frozen=True):
    """The arguments of `message.post`. `id` is made by the client: posts with the same id are one message."""

    id: UUID
    body: str


class Viewer(msgspec.Struct, frozen=True):
    """For the user who joins alone. `role` is `member`, `moderator` or `reader`.

    A user of a public room without a membership counts as a member. A reader has the permission to read all rooms, and
    may not write. `manages`: may change the room and its members. `body_chars`: of the longest message. `read_seq`,
    `read_version`: how far the user has read the room.
    """

    role: str
    manages: bool
    body_chars: int
    read_seq: int
    read_version: int


class RoomState(msgspec.Struct, frozen=True):
    slug: str
    title: str
    description: str
    private: bool
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


class RoomPage(msgspec.Struct, frozen=True):
    """The state of a room: its latest page, by seq. `more`: there are older messages."""

    room: RoomState
    messages: list[MessageState]
    more: bool


class History(msgspec.Struct, frozen=True):
    """`more`: there are more messages in the requested direction (for `around`: older ones)."""

    messages: list[MessageState]
    more: bool


class LastWords(msgspec.Struct, frozen=True):
    """The last message of a room. `text`: one line of it; null: it is deleted."""

    seq: int
    user: Person
    text: str | None
    at: datetime


class RoomEntry(msgspec.Struct, frozen=True):
    """A room in a list. Lists are in the order of `sort`, compared as text. Unread is what is above one's read seq."""

    slug: str
    title: str
    private: bool
    archived: bool
    last_seq: int
    last: LastWords | None
    sort: str


class ReadReport(msgspec.Struct, frozen=True):
    """The arguments of `room.read`: messages up to `seq` were shown. `version`: as the page knows it."""

    seq: Number
    version: Number


class UnreadMark(msgspec.Struct, frozen=True):
    """The arguments of `room.unread`: the messages from `seq` on are to be unread."""

    seq: Number


class ReadState(msgspec.Struct, frozen=True):
    """How far the user has read the room now: `seq` and `version` as stored."""

    seq: int
    version: int


class OwnState(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is the user's own in a room. 0 and false are left out."""

    read_seq: int = 0
    read_version: int = 0
    muted: bool = False
    favourite: bool = False
    left: bool = False


class OwnStates(msgspec.Struct, frozen=True):
    """The state of the topic `person/<id>`: by slug, for each room that the user has entered and may read."""

    rooms: dict[str, OwnState]


class Posted(msgspec.Struct, frozen=True):
    """The message is committed."""

    seq: int
    position: int
    at: datetime


class Changed(msgspec.Struct, frozen=True):
    """The change is committed, now or before."""

    position: int


class MessageEvent(Event, kw_only=True, frozen=True):
    message: MessageState


class MessagePosted(MessageEvent, tag="message.posted", frozen=True):
    pass


class MessageEdited(MessageEvent, tag="message.edited", frozen=True):
    pass


class MessageDeleted(MessageEvent, tag="message.deleted", frozen=True):
    pass


class RoomChanged(Event, tag="room.changed", kw_only=True, frozen=True):
    """`changes`: the changed fields of title, description, private and archived."""

    changes: dict[str, Any]


class PersonRoom(Event, tag="person.room", kw_only=True, frozen=True, omit_defaults=True):
    """The user's own state of a room as it is now. 0 and false are left out."""

    room: str
    read_seq: int = 0
    read_version: int = 0
    muted: bool = False
    favourite: bool = False
    left: bool = False


def frame_size(frame: msgspec.Struct) -> int:
    """The size of the encoded frame in bytes."""
    return len(msgspec.json.encode(frame))
