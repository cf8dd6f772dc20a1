"""Rows as frames: messages and rooms on the wire, and the room's group."""

from collections.abc import Collection
from typing import Any

from chat.models import Message, Room
from chat.protocol import (
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessagePosted,
    MessageState,
    PresenceChanged,
    RoomChanged,
    RoomState,
)
from hubbub import users
from hubbub.presence.topic_presence import Change
from hubbub.protocol import Person

GONE = "deleted user"

# A room's fields that clients see, with their names on the wire: `topic` keeps its name until protocol 2.
WIRE_NAMES = {"title": "title", "description": "topic", "is_archived": "archived"}


def group_of(slug: str) -> str:
    return f"room.{slug}"


def slug_of(group: str) -> str:
    return group.removeprefix("room.")


def message_state(message: Message) -> MessageState:
    """The message as a frame. Select `author` with the message: otherwise each one costs a query."""
    author = message.author
    return MessageState(
        seq=message.seq,
        id=message.client_id,
        user=Person(users.id_of(author), users.name_of(author)) if author else Person(None, GONE),
        body=message.body,
        at=message.at,
        edited_at=message.edited_at,
        deleted=message.deleted_at is not None,
    )


def message_event(slug: str, message: Message) -> MessageEvent:
    """The event of the message's last change."""
    if message.deleted_at is not None:
        kind: type[MessageEvent] = MessageDeleted
    elif message.position != message.posted_position:
        kind = MessageEdited
    else:
        kind = MessagePosted
    return kind(room=slug, position=message.position, message=message_state(message))


def room_state(room: Room, role: str) -> RoomState:
    return RoomState(slug=room.slug, role=role, **_wire_fields(room))


def room_changed(room: Room, changed: Collection[str] = WIRE_NAMES) -> RoomChanged:
    """The event for a change of the fields `changed`; by default all, for a client that may have missed which."""
    return RoomChanged(room=room.slug, position=room.changed_position, changes=_wire_fields(room, changed))


def _wire_fields(room: Room, names: Collection[str] = WIRE_NAMES) -> dict[str, Any]:
    return {wire: getattr(room, name) for name, wire in WIRE_NAMES.items() if name in names}


def presence_changed(group: str, change: Change) -> PresenceChanged:
    return PresenceChanged(room=slug_of(group), count=change.count, joined=change.joined, left=change.left)
