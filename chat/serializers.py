"""Rows as frames: messages and rooms on the wire, and the room's topic."""

from collections.abc import Collection
from typing import Any, cast

from chat.excerpts import excerpt
from chat.models import Message, Room
from chat.protocol import (
    LastWords,
    MessageDeleted,
    MessageEdited,
    MessageEvent,
    MessagePosted,
    MessageState,
    RoomChanged,
    RoomEntry,
    RoomState,
)
from hubbub import Topic, Watch, users
from hubbub.process import utc
from hubbub.protocol import Person
from hubbub.topics import topics

GONE = "deleted user"
EXCERPT_CHARS = 120

# A room's fields that clients see, with their names on the wire.
WIRE_NAMES = {"title": "title", "description": "description", "is_private": "private", "is_archived": "archived"}


def room_topic(slug: str) -> Topic:
    """The topic of a room. By its name: `topics`, which declares it, calls the modules that publish by this."""
    return topics()["room"](slug)


def rooms_topic() -> Watch:
    """The topic of users' lists of rooms. By its name: see `room_topic`."""
    return cast(Watch, topics()["rooms"]())


def room_entry(room: Room, last: Message | None) -> RoomEntry:
    """The room in a list, with its last message, whose `author` is selected."""
    return RoomEntry(
        slug=room.slug,
        title=room.title,
        private=room.is_private,
        archived=room.is_archived,
        last_seq=room.last_seq,
        last=None if last is None else last_words(last),
        sort=room.sort_key,
    )


def author_of(message: Message) -> Person:
    """The author as others see them. Select `author` with the message: otherwise each one costs a query."""
    author = message.author
    if author is None:
        return Person(None, GONE)
    return Person(users.id_of(author), users.name_of(author), users.picture_of(author))


def last_words(message: Message) -> LastWords:
    return LastWords(
        seq=message.seq,
        user=author_of(message),
        text=None if message.deleted_at is not None else excerpt(message.body, EXCERPT_CHARS),
        at=utc(message.at),
    )


def person_topic(user_id: str) -> Topic:
    """The topic of what is one user's own."""
    return topics()["person"](user_id)


def message_state(message: Message) -> MessageState:
    """The message as a frame. Select `author` with the message: otherwise each one costs a query."""
    return MessageState(
        seq=message.seq,
        id=message.client_id,
        user=author_of(message),
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
