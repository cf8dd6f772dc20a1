"""Deletes rooms, and detaches messages from deleted accounts, in steps, so that other writes go on. Writes rows."""

from django.db import transaction

from chat.models import ErasedText, Message, Room, database
from hubbub import users
from hubbub.process import step_with_pause

MESSAGES_PER_STEP = 1_000  # In one transaction of about 20 ms.


def delete_room(*, room_id: int) -> None:
    """Delete a room and its messages, the oldest first. Raises Room.DoesNotExist."""
    seqs = Message.objects.filter(room=room_id).order_by("seq").values_list("seq", flat=True)
    while (rest := seqs[MESSAGES_PER_STEP : MESSAGES_PER_STEP + 1].first()) is not None:
        with step_with_pause(database()), transaction.atomic(using=database()):
            room = Room.objects.select_for_update().get(pk=room_id)
            # Clients that resume from an older position load the latest page.
            room.purged_position = room.position
            room.save(update_fields=["purged_position"])
            Message.objects.filter(room=room, seq__lt=rest).delete()
    with transaction.atomic(using=database()):
        Room.objects.select_for_update().get(pk=room_id).delete()


def disown_messages(*, user_id: str) -> None:
    """Detach the messages of an account before its deletion. The last ones lose their author with the row."""
    ErasedText.objects.filter(message__author=users.key_of(user_id)).delete()
    mine = Message.objects.filter(author=users.key_of(user_id)).order_by("pk")
    while (rest := mine.values_list("pk", flat=True)[MESSAGES_PER_STEP : MESSAGES_PER_STEP + 1].first()) is not None:
        with step_with_pause(database()):
            Message.objects.filter(author=users.key_of(user_id), pk__lt=rest).update(author=None)
