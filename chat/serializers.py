"""Rows as frames: messages and rooms on the wire, and the room's topic."""

from collections.abc import Collection
from typing import Any

from chat.models import Message, Room
from chat.protocol import (
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessagePosted,
    MessageState,
    RoomChanged,
    RoomState,
)
from hubbub import Topic, users
from hubbub.process import utc
from hubbub.protocol import Person
from hubbub.topics import topics

GONE = "deleted user"

# A room's fields that clients see, with their names on the wire.
WIRE_NAMES = {"title": "title", "description": "description", "is_archived": "archived"}


def room_topic(slug: str) -> Topic:
    """The topic of a room. By its name: `topics`, which declares it, calls the modules that publish by this."""
    return topics()["room"](slug)


def message_state(message: Message) -> MessageState:
    """The message as a frame. Select `author` with the message: otherwise each one costs a query."""
    author = message.author
    return MessageState(
        seq=message.seq,
        id=message.client_id,
        user=Person(users.id_of(author), users.name_of(author), users.picture_of(author))
        if author
        else Person(None, GONE),
        body=message.body,
        at=utc(message.at),
        edited_at=None if message.edited_at is None else utc(message.edited_at),
        deleted=message.deleted_at is not None,
    )


def message_change(message: Message) -> tuple[int, MessageEvent]:
    """The position and the event of the message's last change."""
    if message.deleted_at is not None:
        kind: type[MessageEvent] = MessageDeleted
    elif message.position != message.posted_position:
        kind = MessageEdited
    else:
        kind = MessagePosted
    return message.position, kind(message=message_state(message))


def room_state(room: Room) -> RoomState:
    return RoomState(slug=room.slug, **_wire_fields(room))


def room_change(room: Room, changed: Collection[str] = WIRE_NAMES) -> tuple[int, RoomChanged]:
    """The position and the event for a change of these fields; by default all, for a client that has missed which."""
    return room.changed_position, RoomChanged(changes=_wire_fields(room, changed))


def _wire_fields(room: Room, names: Collection[str] = WIRE_NAMES) -> dict[str, Any]:
    return {wire: getattr(room, name) for name, wire in WIRE_NAMES.items() if name in names}
