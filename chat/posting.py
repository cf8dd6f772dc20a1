"""Posting messages: the only way in which a message is saved for the first time.

Many posts share one transaction, see `hubbub.topics.batch_calls`. A post is answered `Posted` or `Refused`; the events
are published after the commit.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from django.utils import timezone

from chat import access, reading
from chat.models import Message, Room, database
from chat.protocol import Posted
from chat.serializers import message_change, room_topic
from chat.validators import accepted, cleaned
from hubbub import users
from hubbub.auth import Identity
from hubbub.protocol import Refused
from hubbub.queries import rows_by

# Statements of the hot path, written by hand: see `hubbub.queries.rows_by`.
INSERT_FIELDS = [field for field in Message._meta.concrete_fields if not field.primary_key]
INSERT_MESSAGE = (
    f"INSERT INTO {Message._meta.db_table} ({', '.join(str(field.column) for field in INSERT_FIELDS)}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * len(INSERT_FIELDS))})"
)
SAVE_POSITIONS = f"UPDATE {Room._meta.db_table} SET position = %s, last_seq = %s WHERE id = %s"  # noqa: S608


@dataclass(frozen=True, slots=True)
class Post:
    """One message to save.

    Attributes:
        client_id: Made by the client: posts of one user in one room with the same id are one message.
        by: The session or token that the post came by; None for a post that came by no socket.
    """

    user_id: str
    slug: str
    client_id: UUID
    body: str
    by: Identity | None = None


def post_message(*, user_id: str, slug: str, client_id: UUID, body: str) -> Posted:
    """Save one message; a repetition of the same `client_id` gets the same answer. Raises Refused."""
    [result] = post_messages([Post(user_id, slug, client_id, body)])
    if isinstance(result, Refused):
        raise result
    return result


def post_messages(posts: Sequence[Post]) -> list[Posted | Refused]:
    """Save messages in one transaction, for scripts and views. Returns as `save_posts`."""
    with transaction.atomic(using=database()):
        return save_posts(posts)


def publish_messages(room: Room, messages: Sequence[Message]) -> None:
    """Publish the last change of each message to the room after the commit. The caller holds the room's lock."""
    room_topic(room.slug).publish_many(map(message_change, messages))


def save_posts(posts: Sequence[Post]) -> list[Posted | Refused]:
    """Lock the rooms, save the posts that are allowed and new, and publish them. Runs in the caller's transaction.

    Returns:
        One result for each post, in the order of `posts`.
    """
    bodies = [cleaned(post.body) for post in posts]
    keys = {user_id: key for user_id in {post.user_id for post in posts} if (key := users.key_of(user_id)) is not None}
    rooms = access.locked_rooms_for([(keys[post.user_id], post.slug) for post in posts if post.user_id in keys])
    answered = _already_posted(posts, rooms)
    refusals = access.write_refusals(
        {(post.user_id, post.slug) for post in posts if (keys.get(post.user_id), post.slug) not in rooms}
    )
    authors, valid_identities = access.writers_for([post.by for post in posts], keys.values())
    now = timezone.now()
    results: list[Posted | Refused] = []
    messages: list[Message] = []
    for post, body in zip(posts, bodies, strict=True):
        author_key = keys.get(post.user_id)
        room = rooms.get((author_key, post.slug))
        try:
            if post.by is not None and post.by not in valid_identities:
                raise access.signed_out()
            if room is None:
                raise refusals[post.user_id, post.slug]
            key = (room.pk, author_key, post.client_id)
            if key not in answered:
                access.check_writable(room)
                author = authors.get(author_key)
                if author is None:
                    raise access.room_not_found()  # The account was deleted while its socket was open.
                message = _new_message(room, author, post, accepted(body), now)
                messages.append(message)
                answered[key] = Posted(seq=message.seq, position=message.position, at=message.at)
            results.append(answered[key])
        except Refused as refused:
            results.append(refused)
    _insert(messages)
    by_room: dict[int, list[Message]] = {}
    for message in messages:
        by_room.setdefault(message.room_id, []).append(message)
    reading.raise_for_own({room_messages[0].room: room_messages for room_messages in by_room.values()})
    for room_messages in by_room.values():
        _save_positions(room_messages[0].room)
        publish_messages(room_messages[0].room, room_messages)
    return results


def _already_posted(posts: Sequence[Post], rooms: dict[tuple[Any, str], Room]) -> dict[tuple[int, Any, UUID], Posted]:
    """The answers of messages saved before, by (room, author, client's id). Read under the rooms' locks."""
    if not rooms:
        return {}
    saved = rows_by(Message, client_id={post.client_id for post in posts})
    return {
        (message.room_id, message.author_id, message.client_id): Posted(
            seq=message.seq, position=message.posted_position, at=message.at
        )
        for message in saved
        if message.author_id is not None
    }


def _insert(messages: Sequence[Message]) -> None:
    connection = connections[database()]
    rows = [
        [field.get_db_prep_save(getattr(message, field.attname), connection) for field in INSERT_FIELDS]
        for message in messages
    ]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(INSERT_MESSAGE, rows)


def _save_positions(room: Room) -> None:
    with connections[database()].cursor() as cursor:
        cursor.execute(SAVE_POSITIONS, [room.position, room.last_seq, room.pk])


def _new_message(room: Room, author: Any, post: Post, body: str, at: datetime) -> Message:
    position = room.take_position()
    room.last_seq += 1
    return Message(
        room=room,
        seq=room.last_seq,
        author=author,
        client_id=post.client_id,
        body=body,
        at=at,
        posted_position=position,
        position=position,
    )
