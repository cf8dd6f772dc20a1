"""Deleting rooms, and what deleting an account leaves: in steps, so that others write meanwhile. Writes rows."""

from django.db import transaction

from chat.models import Message, Room
from hubbub import users
from hubbub.steps import in_step

MESSAGES_TOGETHER = 1_000  # In one transaction: some 20 ms.


def delete_room(*, room_id: int) -> None:
    """Delete a room with all its messages; of many, the oldest go first. Raises Room.DoesNotExist."""
    said = Message.objects.filter(room=room_id).order_by("seq").values_list("seq", flat=True)
    while (rest := said[MESSAGES_TOGETHER : MESSAGES_TOGETHER + 1].first()) is not None:
        with in_step(), transaction.atomic():
            room = Room.objects.select_for_update().get(pk=room_id)
            # Whoever resumes from before starts from the latest page.
            room.purged_position = room.position
            room.save(update_fields=["purged_position"])
            Message.objects.filter(room=room, seq__lt=rest).delete()
    with transaction.atomic():
        Room.objects.select_for_update().get(pk=room_id).delete()


def disown_messages(*, user_id: str) -> None:
    """Before an account is deleted: its messages stay. Many of them lose their author here, the rest with the row."""
    mine = Message.objects.filter(author=users.key_of(user_id)).order_by("pk")
    while (rest := mine.values_list("pk", flat=True)[MESSAGES_TOGETHER : MESSAGES_TOGETHER + 1].first()) is not None:
        with in_step():
            Message.objects.filter(author=users.key_of(user_id), pk__lt=rest).update(author=None)
