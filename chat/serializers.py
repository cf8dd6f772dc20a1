"""Rows as frames: what a message or a room looks like on the wire, and the group that hears of it."""

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


def group_of(slug: str) -> str:
    return f"room.{slug}"


def slug_of(group: str) -> str:
    return group.removeprefix("room.")


def message_state(message: Message) -> MessageState:
    """Needs `author` selected along: it is read for each message of a page."""
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
    """The event that tells of the message's last change."""
    if message.deleted_at is not None:
        kind: type[MessageEvent] = MessageDeleted
    elif message.position != message.posted_position:
        kind = MessageEdited
    else:
        kind = MessagePosted
    return kind(room=slug, position=message.position, message=message_state(message))


def room_state(room: Room, role: str) -> RoomState:
    return RoomState(slug=room.slug, title=room.title, topic=room.topic, role=role, archived=room.is_archived)


def room_changed(room: Room) -> RoomChanged:
    """The room as it is now, told as a change: for a client that may have missed which field it was."""
    changes = {"title": room.title, "topic": room.topic, "archived": room.is_archived}
    return RoomChanged(room=room.slug, position=room.changed_position, changes=changes)


def presence_changed(group: str, change: Change) -> PresenceChanged:
    return PresenceChanged(room=slug_of(group), count=change.count, joined=change.joined, left=change.left)
