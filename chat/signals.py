"""Django signals that change access to rooms or names in them: each is published to the rooms concerned."""

from collections.abc import Collection
from typing import Any

from django.db.models.signals import post_delete, post_save, pre_save

from chat import access, reading, services
from chat.models import Membership, Room
from chat.serializers import room_topic, rooms_topic
from hubbub import users
from hubbub.signals import epochs_renewed, user_renamed
from hubbub.topics import person_changed


def connect() -> None:
    """Connect the handlers. Called once, after all models are loaded."""
    pre_save.connect(_membership_moves, sender=Membership, dispatch_uid="chat.membership_moves")
    post_save.connect(_membership_changed, sender=Membership, dispatch_uid="chat.membership_saved")
    post_delete.connect(_membership_changed, sender=Membership, dispatch_uid="chat.membership_deleted")
    post_save.connect(_room_saved, sender=Room, dispatch_uid="chat.room_saved")
    post_delete.connect(_room_deleted, sender=Room, dispatch_uid="chat.room_deleted")
    user_renamed.connect(_user_renamed, dispatch_uid="chat.user_renamed")
    epochs_renewed.connect(_epochs_renewed, dispatch_uid="chat.epochs_renewed")


def _membership_moves(instance: Membership, **_: object) -> None:
    services.note_move(instance)


def _membership_changed(instance: Membership, origin: Any = None, **_: object) -> None:
    # The deletion of the room itself evicts all its members.
    if not isinstance(origin, Room) and getattr(origin, "model", None) is not Room:
        # The hint first: the other one writes, and may wait for those who post.
        rooms_topic().lists_changed(user_ids=[users.id_of_key(instance.user_id)])
        services.note_access_changed(instance.room_id)
        reading.note_access(instance.user_id, instance.room_id)


def _room_saved(instance: Room, created: bool, update_fields: Collection[str] | None, **_: object) -> None:
    if created:
        rooms_topic().lists_changed(keys=[instance.slug])
    elif update_fields is None or "is_private" in update_fields:
        rooms_topic().lists_changed(keys=[instance.slug])
        services.note_access_changed(instance.pk)
        if not instance.is_private:
            reading.note_opened(instance.pk)


def _room_deleted(instance: Room, **_: object) -> None:
    services.publish_room_deleted(instance.slug)


def _user_renamed(user_id: str, name: str, picture: str, status: str, **_: object) -> None:
    slugs = access.rooms_showing(user_id)
    person_changed(map(room_topic, slugs), user_id, name, picture, status)
    rooms_topic().lists_changed(keys=slugs)


def _epochs_renewed(**_: object) -> str:
    count = services.renew_epochs()
    return f"New epoch for {count} {'room' if count == 1 else 'rooms'}."
