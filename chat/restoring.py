"""Restores messages that their authors have deleted, within a minute. Writes rows.

The server keeps no words: only a keyed hash of the text, which must be the text of the restore.
"""

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac

from chat import access
from chat.models import ErasedText, Message, database
from chat.posting import publish_messages
from chat.protocol import Changed
from chat.validators import accepted, cleaned
from hubbub.protocol import ErrorCode, Refused

KEPT = timedelta(seconds=60)
SALT = "chat.restoring.erased_text"
ROWS_PER_STEP = 500  # A few milliseconds of SQLite's write lock.


def restore_message(*, user_id: str, slug: str, seq: int, body: str) -> Changed:
    """Undo the author's own deletion. `body`: the text, as the author's page remembers it.

    Raises:
        Refused: as a post and an edit; `conflict`: it was deleted by another, too long ago, or had another text.
    """
    text = cleaned(body)
    with transaction.atomic(using=database()):
        room = access.writable_room_for(user_id, slug)
        message = access.message_in(room, seq)
        if not access.can_edit(user_id, message):
            raise Refused(ErrorCode.FORBIDDEN, "only the author may restore a message")
        body = accepted(text)
        if message.deleted_at is None:
            if message.body != body:
                raise Refused(ErrorCode.CONFLICT, "this message is not deleted")
            return Changed(position=message.position)  # Another page has restored it.
        erased = ErasedText.objects.using(database()).filter(message=message, expires_at__gt=timezone.now()).first()
        if erased is None or message.deleted_by != Message.Deleter.AUTHOR:
            raise Refused(ErrorCode.CONFLICT, "this message can no longer be restored")
        if not _is_of(erased.digest, message, body):
            raise Refused(ErrorCode.CONFLICT, "this is not the text of the deleted message")
        erased.delete()
        message.body, message.deleted_at, message.deleted_by = body, None, ""
        message.position = room.take_position()
        message.save(update_fields=["body", "deleted_at", "deleted_by", "position"])
        room.save(update_fields=["position"])
        publish_messages(room, [message])
    return Changed(position=message.position)


def erase_text(message: Message, by: Message.Deleter) -> bool:
    """Empty the message, in the caller's transaction, which saves the fields and holds the lock of the room.

    The text of an author's own deletion can be restored for a minute. A later deletion by somebody else ends that.

    Returns:
        Whether the message has changed: False for one that was deleted before.
    """
    if message.deleted_at is None:
        if by == Message.Deleter.AUTHOR:
            digest, until = _digest(message, message.body, settings.SECRET_KEY), timezone.now() + KEPT
            ErasedText.objects.using(database()).update_or_create(
                message=message, defaults={"digest": digest, "expires_at": until}
            )
        # The text itself is erased, not hidden.
        message.body, message.deleted_at, message.deleted_by = "", timezone.now(), by
        return True
    if by != Message.Deleter.AUTHOR and message.deleted_by == Message.Deleter.AUTHOR:
        ErasedText.objects.using(database()).filter(message=message).delete()
        message.deleted_by = by
        message.save(update_fields=["deleted_by"])
    return False


def forget_step() -> int:
    """Erase some hashes whose minute is over. Returns how many."""
    expired = ErasedText.objects.using(database()).filter(expires_at__lte=timezone.now())
    keys = list(expired.order_by("expires_at").values_list("pk", flat=True)[:ROWS_PER_STEP])
    if not keys:
        return 0  # Without a write: on SQLite it would wait for the lock.
    return ErasedText.objects.using(database()).filter(pk__in=keys, expires_at__lte=timezone.now()).delete()[0]


def _is_of(digest: str, message: Message, body: str) -> bool:
    """Whether the digest is that of the text, under the key of now or of before its renewal."""
    keys = (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)
    return any(constant_time_compare(digest, _digest(message, body, key)) for key in keys)


def _digest(message: Message, body: str, key: str) -> str:
    return salted_hmac(SALT, f"{message.pk}:{body}", secret=key, algorithm="sha256").hexdigest()
