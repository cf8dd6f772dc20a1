"""The verbs of chat, but for posting; with `posting` and `deletion` the only writers of its rows.

Each verb is one transaction that takes the room's next position and publishes its change after the commit. Plain
synchronous Django: call it from a view, a command, the admin; `topics` calls it for sockets.
"""

import threading
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from chat import access, restoring
from chat.models import Membership, Message, Room, database, new_epoch
from chat.posting import publish_messages
from chat.protocol import Changed
from chat.serializers import room_change, room_topic
from chat.validators import accepted, cleaned
from hubbub import users
from hubbub.auth import Identity
from hubbub.protocol import ErrorCode, Refused
from hubbub.text import normalize_name

# Rooms whose change of access waits for the commit of the transaction of this thread.
_transaction = threading.local()

CHANGEABLE = ("title", "description", "is_private", "is_archived")


# Messages


def edit_message(*, user_id: str, slug: str, seq: int, body: str, by: Identity | None = None) -> Changed:
    """Change the body of the user's own message; the same body changes nothing.

    Raises:
        Refused: `not_found`, `forbidden` for another user's message, `conflict` for a deleted message.
    """
    text = cleaned(body)
    with transaction.atomic(using=database()):
        room = access.writable_room_for(user_id, slug)
        access.check_identity(by, user_id)
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
    """Empty a message of the user, or of any user if the user is a moderator. Raises Refused."""
    with transaction.atomic(using=database()):
        room = access.writable_room_for(user_id, slug)
        access.check_identity(by, user_id)
        message = access.message_in(room, seq)
        if not access.can_delete(user_id, message, room):
            raise Refused(ErrorCode.FORBIDDEN, "only the author or a moderator may delete a message")
        is_own = access.can_edit(user_id, message)
        _delete(room, message, Message.Deleter.AUTHOR if is_own else Message.Deleter.MODERATOR)
    return Changed(position=message.position)


def moderate_message(*, message_id: int) -> None:
    """Empty any message, also in an archived room, for the admin. Its author cannot restore it."""
    with transaction.atomic(using=database()):
        room = Room.objects.select_for_update(no_key=True).get(messages=message_id)
        message = Message.objects.using(database()).select_related("author").get(pk=message_id)
        _delete(room, message, Message.Deleter.STAFF)


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
    with transaction.atomic(using=database()):
        room = Room.objects.select_for_update(no_key=True).get(pk=room_id)
        changed = {name: value for name, value in changes.items() if getattr(room, name) != value}
        if not changed:
            return room
        for name, value in changed.items():
            setattr(room, name, value)
        room.full_clean()
        room.changed_position = room.take_position()
        room.save(update_fields=[*changed, "position", "changed_position"])
        # Those who lose a room that becomes private are still in its group for a moment, and get nothing more of it.
        # The others read its new title by the next comparison.
        if not room.is_private or "is_private" not in changed or len(changed) == 1:
            room_topic(room.slug).publish(*room_change(room, changed))
    return room


def publish_room_deleted(slug: str) -> None:
    """Close the room on all open pages. Called by signals.py for each deletion of a room."""
    room_topic(slug).close("deleted")


def renew_epochs() -> int:
    """Give each room a new epoch, after a restore: the positions that clients know belong to other changes now.

    Clients with an open room rejoin by themselves and load the latest page.

    Returns:
        The number of rooms.
    """
    rooms = Room.objects.using(database()).all()
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
    """Set the user's role and ban in the room. Forms call bans.py instead, which checks for newer bans.

    Raises:
        ValidationError: The role, the end or the reason of the ban is not allowed.
    """
    with transaction.atomic(using=database()):
        key = users.key_of(user_id)
        membership = Membership.objects.select_for_update().filter(room=room_id, user=key).first()
        membership = membership or Membership(room_id=room_id, user_id=key)
        membership.role, membership.banned_until = role, banned_until
        membership.ban_reason = normalize_name(ban_reason) if banned_until is not None else ""
        membership.full_clean()
        membership.save()
    return membership


def remove_membership(*, room_id: int, user_id: str) -> None:
    """Delete the user's membership and ban, if there is one."""
    Membership.objects.filter(room=room_id, user=users.key_of(user_id)).delete()


def note_access_changed(room_id: int) -> None:
    """Evict the sockets that may no longer read the room, after the commit. See signals.py.

    The room's row is updated after the transaction: within it, two transactions that lock rows of each other's rooms
    could deadlock.
    """
    noted: set[int] | None = getattr(_transaction, "noted", None)
    if noted is None or noted:
        # Filled at the commit only: the calls of one transaction share an empty set.
        noted = _transaction.noted = set()

    def publish_once(noted: set[int] = noted) -> None:
        if room_id not in noted:
            noted.add(room_id)
            _publish_access_changed(room_id)

    transaction.on_commit(publish_once, using=database(), robust=True)


def note_move(membership: Membership) -> None:
    """Before a membership is saved with another room: the members of its old room are checked as well."""
    if membership.pk is not None:
        for room_id in Membership.objects.using(database()).filter(pk=membership.pk).values_list("room_id", flat=True):
            if room_id != membership.room_id:
                note_access_changed(room_id)


def _publish_access_changed(room_id: int) -> None:
    slug = Room.objects.using(database()).filter(pk=room_id).values_list("slug", flat=True).first()
    if slug is not None:
        # Before the version: its update may wait for a lock.
        room_topic(slug).access_changed()
        Room.objects.filter(pk=room_id).update(access_version=F("access_version") + 1)


def _delete(room: Room, message: Message, by: Message.Deleter) -> None:
    if restoring.erase_text(message, by):
        _save_change(room, message, "body", "deleted_at", "deleted_by")


def _save_change(room: Room, message: Message, *fields: str) -> None:
    message.position = room.take_position()
    message.save(update_fields=[*fields, "position"])
    room.save(update_fields=["position"])
    publish_messages(room, [message])
