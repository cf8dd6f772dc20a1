"""The verbs of chat, and the only writer of its rows. Each is one transaction that takes the room's next position.

What it changed is published after the commit. Plain synchronous Django: call it from a view, a command, the admin,
or from a consumer through `hubbub.threads.write`.
"""

import logging
import threading
from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import F
from django.utils import timezone

from chat import access
from chat.models import Membership, Message, Room, new_epoch
from chat.protocol import Changed, Posted, RoomClosed
from chat.serializers import group_of, message_event, room_changed
from chat.validators import accepted, cleaned
from hubbub import users
from hubbub.auth.identity import Identity
from hubbub.protocol import ErrorCode, Refused, encode
from hubbub.publish import publish, publish_access_changed, publish_end, publish_in_order
from hubbub.queries import rows_by
from hubbub.text.names import normalize_name

logger = logging.getLogger(__name__)

# Statements of the way of a post, written by hand: see `access.rows_by`.
INSERTED = [field for field in Message._meta.concrete_fields if not field.primary_key]
INSERT_MESSAGE = (
    f"INSERT INTO {Message._meta.db_table} ({', '.join(str(field.column) for field in INSERTED)}) "  # noqa: S608
    f"VALUES ({', '.join(['%s'] * len(INSERTED))})"
)
SAVE_POSITIONS = f"UPDATE {Room._meta.db_table} SET position = %s, last_seq = %s WHERE id = %s"  # noqa: S608

_of_transaction = threading.local()

HELD_UP_MS = 1000  # Until a post to a room that somebody holds is to be tried again.

CHANGEABLE = ("title", "description", "is_private", "is_archived")


# Messages


@dataclass(frozen=True, slots=True)
class Post:
    """A message that somebody wants to post. `client_id` is theirs: the same one is one message for ever."""

    user_id: str
    slug: str
    client_id: UUID
    body: str
    by: Identity | None = None  # What the user is let in by; None: not by a socket.


def post_messages(posts: Sequence[Post]) -> list[Posted | Refused]:
    """Save many messages in one transaction; what becomes of each, in the order given.

    The only way that a message is posted. One broken post does not fail its neighbours: when the transaction fails
    unexpectedly each is tried alone. Raises OperationalError or InterfaceError when the database is away or locked,
    which trying again would only find out for each post in its turn; for a single post, whatever was raised.
    """
    if not posts:
        return []
    bodies = [cleaned(post.body) for post in posts]
    try:
        with transaction.atomic():
            return _post_all(posts, bodies)
    except (OperationalError, InterfaceError) as error:
        if not access.is_lock_timeout(error) or len({post.slug for post in posts}) == 1:
            raise
        return _post_room_by_room(posts)
    except Exception:
        if len(posts) == 1:
            raise
        logger.exception("posting: batch of %d posts failed, retrying each post alone", len(posts))
    return _post_one_by_one(posts)


def post_message(*, user_id: str, slug: str, client_id: UUID, body: str) -> Posted:
    """Save a message. The same `client_id` of the same user in the same room is answered alike and saved once."""
    [result] = post_messages([Post(user_id, slug, client_id, body)])
    if isinstance(result, Refused):
        raise result
    return result


def edit_message(*, user_id: str, slug: str, seq: int, body: str, by: Identity | None = None) -> Changed:
    """Change the body of one's own message. To the same body: nothing happens. Of a deleted one: `conflict`."""
    text = cleaned(body)
    with transaction.atomic():
        room = access.writable_room_for(user_id, slug)
        access.check_still_in(by, user_id)
        message = access.message_in(room, seq)
        if not access.can_edit(user_id, message):
            raise Refused(ErrorCode.FORBIDDEN, "only the author may edit a message")
        if message.deleted_at is not None:
            raise Refused(ErrorCode.CONFLICT, "this message is deleted")
        body = accepted(text)
        if body != message.body:
            message.body, message.edited_at = body, timezone.now()
            _save_change(room, message, "body", "edited_at")
    return Changed(position=message.position)


def delete_message(*, user_id: str, slug: str, seq: int, by: Identity | None = None) -> Changed:
    """Empty one's own message, or as a moderator anybody's. What is deleted stays deleted."""
    with transaction.atomic():
        room = access.writable_room_for(user_id, slug)
        access.check_still_in(by, user_id)
        message = access.message_in(room, seq)
        if not access.can_delete(user_id, message, room):
            raise Refused(ErrorCode.FORBIDDEN, "only the author or a moderator may delete a message")
        _delete(room, message)
    return Changed(position=message.position)


def moderate_message(*, message_id: int) -> None:
    """Empty any message, also in an archived room: the admin's way. It keeps its place."""
    with transaction.atomic():
        room = Room.objects.select_for_update().get(messages=message_id)
        message = Message.objects.select_related("author").get(pk=message_id)
        _delete(room, message)


# Rooms


def create_room(
    *, slug: str, title: str, description: str = "", is_private: bool = False, is_archived: bool = False
) -> Room:
    """Create a room. Raises ValidationError."""
    title, description = normalize_name(title), normalize_name(description)
    room = Room(slug=slug, title=title, description=description, is_private=is_private, is_archived=is_archived)
    room.full_clean()
    room.save()
    return room


def change_room(*, room_id: int, **changes: Any) -> Room:
    """Set any of the fields CHANGEABLE and publish the change to open pages. Raises ValidationError."""
    unknown = changes.keys() - {*CHANGEABLE}
    if unknown:
        raise ValueError(f"not changeable: {', '.join(sorted(unknown))}")
    changes |= {name: normalize_name(changes[name]) for name in ("title", "description") if name in changes}
    with transaction.atomic():
        room = Room.objects.select_for_update().get(pk=room_id)
        changed = {name: value for name, value in changes.items() if getattr(room, name) != value}
        if not changed:
            return room
        for name, value in changed.items():
            setattr(room, name, value)
        room.full_clean()
        position = room.changed_position = _next_position(room)
        room.save(update_fields=[*changed, "position", "changed_position"])
        publish(group_of(room.slug), room_changed(room, changed), position=position)
    return room


def tell_room_deleted(slug: str) -> None:
    """The room is gone, whoever deleted it: see signals.py."""
    publish_end(group_of(slug), RoomClosed(room=slug, code="deleted"))


def renew_epochs() -> int:
    """After the database was restored from a backup: positions that clients have name other changes now.

    How many rooms there are. Those who have them open come back by themselves and start from the latest page.
    """
    rooms = Room.objects.all()
    for room in rooms:
        room.epoch = new_epoch()
        room.save(update_fields=["epoch"])
    return len(rooms)


# Members


def set_membership(
    *,
    room_id: int,
    user_id: str,
    role: str = Membership.Role.MEMBER,
    banned_until: datetime | None = None,
    ban_reason: str = "",
) -> Membership:
    """Make the user what these say in the room, whatever they were; to ban somebody, see bans.py.

    Raises ValidationError.
    """
    with transaction.atomic():
        key = users.key_of(user_id)
        membership = Membership.objects.select_for_update().filter(room=room_id, user=key).first()
        membership = membership or Membership(room_id=room_id, user_id=key)
        membership.role, membership.banned_until = role, banned_until
        membership.ban_reason = normalize_name(ban_reason) if banned_until is not None else ""
        membership.full_clean()
        membership.save()
    return membership


def remove_membership(*, room_id: int, user_id: str) -> None:
    """The user is nothing in the room any more; nothing happens if they were not."""
    Membership.objects.filter(room=room_id, user=users.key_of(user_id)).delete()


def note_access_changed(room_id: int) -> None:
    """Who may read the room has changed: whoever may not any more is shut out, wherever their sockets are.

    Called for each membership and room that is saved or deleted, by whomever: see signals.py. Whose transaction it is
    may have locked other rows, of other rooms too: the room's own is touched after it, or each could wait for another.
    """
    told: set[int] | None = getattr(_of_transaction, "told", None)
    if told is None or told:
        # Shared by the calls of one transaction: nothing is in it until that is committed.
        told = _of_transaction.told = set()

    def tell(told: set[int] = told) -> None:
        if room_id not in told:
            told.add(room_id)
            _tell_access_changed(room_id)

    transaction.on_commit(tell, robust=True)


def note_move(membership: Membership) -> None:
    """Before it is saved: if it was of another room, whoever leaves that must be out of it as well."""
    if membership.pk is not None:
        for room_id in Membership.objects.filter(pk=membership.pk).values_list("room_id", flat=True):
            if room_id != membership.room_id:
                note_access_changed(room_id)


def _tell_access_changed(room_id: int) -> None:
    slug = Room.objects.filter(pk=room_id).values_list("slug", flat=True).first()
    if slug is not None:
        # Before the version: that may have to wait for a lock.
        publish_access_changed(group_of(slug))
        Room.objects.filter(pk=room_id).update(access_version=F("access_version") + 1)


def _post_room_by_room(posts: Sequence[Post]) -> list[Posted | Refused]:
    """After somebody held a room for too long: those of other rooms have nothing to do with it."""
    results: dict[int, Posted | Refused] = {}
    for slug in dict.fromkeys(post.slug for post in posts):
        numbers = [number for number, post in enumerate(posts) if post.slug == slug]
        of_room = [posts[number] for number in numbers]
        try:
            with transaction.atomic():
                access.wait_shortly_for_locks()
                saved = _post_all(of_room, [cleaned(post.body) for post in of_room])
        except (OperationalError, InterfaceError) as error:
            if not access.is_lock_timeout(error):
                raise
            refused = Refused(ErrorCode.UNAVAILABLE, "the room is locked; try again", retry_after_ms=HELD_UP_MS)
            saved = [refused] * len(of_room)
        results |= zip(numbers, saved, strict=True)
    return [results[number] for number in range(len(posts))]


def _post_one_by_one(posts: Sequence[Post]) -> list[Posted | Refused]:
    results: list[Posted | Refused] = []
    for post in posts:
        try:
            results += post_messages([post])
        except DatabaseError as error:
            logger.warning("posting: post to room %s by user %s not saved: %r", post.slug, post.user_id, error)
            results.append(Refused(ErrorCode.UNAVAILABLE, "the message could not be saved; try again"))
            if isinstance(error, OperationalError | InterfaceError):
                return results + results[-1:] * (len(posts) - len(results))
        except Exception:
            logger.exception("posting: post to room %s by user %s failed", post.slug, post.user_id)
            results.append(Refused(ErrorCode.INTERNAL, "this went wrong here and was logged"))
    return results


def _post_all(posts: Sequence[Post], bodies: Sequence[str | Refused]) -> list[Posted | Refused]:
    keys = {user_id: key for user_id in {one.user_id for one in posts} if (key := users.key_of(user_id)) is not None}
    rooms = access.locked_rooms_for([(keys[one.user_id], one.slug) for one in posts if one.user_id in keys])
    known = _already_posted(posts, rooms)
    refusals = access.not_writable(
        {(one.user_id, one.slug) for one in posts if (keys.get(one.user_id), one.slug) not in rooms}
    )
    authors, still_in = access.writers_for([one.by for one in posts], keys.values())
    now = timezone.now()
    results: list[Posted | Refused] = []
    messages: list[Message] = []
    for post, body in zip(posts, bodies, strict=True):
        author_key = keys.get(post.user_id)
        room = rooms.get((author_key, post.slug))
        try:
            if post.by is not None and post.by not in still_in:
                raise access.signed_out()
            if room is None:
                raise refusals[post.user_id, post.slug]
            key = (room.pk, author_key, post.client_id)
            if key not in known:
                access.check_writable(room)
                author = authors.get(author_key)
                if author is None:
                    raise access.room_not_found()  # The account was deleted under an open socket.
                message = _new_message(room, author, post, accepted(body), now)
                messages.append(message)
                known[key] = Posted(seq=message.seq, position=message.position, at=message.at)
            # A copy: each answer gets the ref of its own command.
            results.append(copy(known[key]))
        except Refused as refused:
            results.append(refused)
    _insert(messages)
    by_room: dict[int, list[Message]] = {}
    for message in messages:
        by_room.setdefault(message.room_id, []).append(message)
    for said in by_room.values():
        _save_positions(said[0].room)
        _publish_messages(said[0].room, said)
    return results


def _already_posted(posts: Sequence[Post], rooms: dict[tuple[Any, str], Room]) -> dict[tuple[int, Any, UUID], Posted]:
    """Those of `posts` that are repetitions, by room, author and the client's id. Read under the rooms' locks."""
    if not rooms:
        return {}
    repeated = rows_by(Message, client_id={one.client_id for one in posts})
    return {
        (one.room_id, one.author_id, one.client_id): Posted(seq=one.seq, position=one.posted_position, at=one.at)
        for one in repeated
        if one.author_id is not None
    }


def _insert(messages: Sequence[Message]) -> None:
    rows = [[field.get_db_prep_save(getattr(one, field.attname), connection) for field in INSERTED] for one in messages]
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(INSERT_MESSAGE, rows)


def _save_positions(room: Room) -> None:
    with connection.cursor() as cursor:
        cursor.execute(SAVE_POSITIONS, [room.position, room.last_seq, room.pk])


def _new_message(room: Room, author: Any, post: Post, body: str, at: datetime) -> Message:
    position = _next_position(room)
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


def _next_position(room: Room) -> int:
    """The caller holds the room's lock and saves `position`."""
    room.position += 1
    return room.position


def _delete(room: Room, message: Message) -> None:
    if message.deleted_at is None:
        # Deleted means gone: the words are not kept.
        message.body, message.deleted_at = "", timezone.now()
        _save_change(room, message, "body", "deleted_at")


def _save_change(room: Room, message: Message, *fields: str) -> None:
    message.position = _next_position(room)
    message.save(update_fields=[*fields, "position"])
    room.save(update_fields=["position"])
    _publish_messages(room, [message])


def _publish_messages(room: Room, messages: Sequence[Message]) -> None:
    # Encoded now, while the lock is held: after the commit a row may already be another's.
    frames = [(message.position, encode(message_event(room.slug, message))) for message in messages]
    publish_in_order(group_of(room.slug), frames)
