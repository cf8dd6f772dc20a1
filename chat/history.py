"""Reads messages for clients that join, resume or scroll, and for the hub's repairs. Never writes.

Each function reads the room first and then rows up to its position: later changes arrive as events.
No transaction: SQLite's IMMEDIATE mode would take the write lock.
"""

from collections.abc import Collection
from operator import itemgetter

from django.db.models import F, QuerySet

from chat import access, conf, typing_rights
from chat.models import Message, Room
from chat.protocol import History, MessageEvent, MessageState, RoomChanged, RoomPage, frame_size
from chat.serializers import message_change, message_state, room_change, room_state
from hubbub.protocol import ErrorCode, Refused
from hubbub.topics import StreamPosition, page_bytes

# Bytes of a page of older messages beside them: field names, numbers, and a `ref` of 64 characters, each of which may
# take 12 bytes.
ENVELOPE_BYTES = 1_536


def read_room(slug: str) -> Room | None:
    """The room, if it exists. Access is not checked."""
    return Room.objects.filter(slug=slug).first()


def latest_page(room: Room, size: int) -> RoomPage:
    """The latest messages up to the room's position that fit into `size` bytes, at least one."""
    state = room_state(room)
    rows = list(_messages(room).order_by("-seq")[: conf.settings().page_messages])[::-1]
    messages = _fitting([message_state(row) for row in rows], size - frame_size(state), keep=len(rows) - 1)
    return RoomPage(room=state, messages=messages, more=bool(messages) and messages[0].seq > 1)


def can_resume(room: Room, after: int) -> bool:
    """Whether the changes after a position are on record, and few enough to be sent."""
    if after < room.purged_position:
        return False
    max_changes = conf.settings().resume_changes
    # Without a query where possible: each change has its own position.
    if room.position - after <= max_changes:
        return True
    return not _changed(room, after)[max_changes : max_changes + 1].exists()


def changes(room: Room, after: int, limit: int) -> list[tuple[int, MessageEvent | RoomChanged]]:
    """At most `limit` changes after a position up to the room's, each message in its current state."""
    found: list[tuple[int, MessageEvent | RoomChanged]] = [message_change(row) for row in _changed(room, after)[:limit]]
    if room.changed_position > after and (len(found) < limit or room.changed_position < found[-1][0]):
        found.append(room_change(room))
        found.sort(key=itemgetter(0))
    return found[:limit]


def _changed(room: Room, after: int) -> QuerySet[Message]:
    changes = Message.objects.filter(room=room, position__gt=after, position__lte=room.position)
    return changes.select_related("author").order_by("position")


def read_history(
    *, user_id: str, slug: str, before: int | None, since: int | None, around: int | None, limit: int
) -> History:
    """Up to `limit` messages, oldest first, before, after (`since`) or around a seq."""
    if [before, since, around].count(None) != 2:
        raise Refused(ErrorCode.INVALID, "give exactly one of before, since and around")
    messages = _messages(access.room_for(user_id, slug))
    if since is not None:
        rows = list(messages.filter(seq__gt=since).order_by("seq")[: limit + 1])
        page = _history(rows[:limit], keep=0)
        return History(messages=page, more=len(page) < len(rows))
    if around is not None:
        newer = list(messages.filter(seq__gte=around).order_by("seq")[: (limit + 1) // 2])
        older = list(messages.filter(seq__lt=around).order_by("-seq")[: limit // 2 + 1])
        rows = [*older[: limit // 2][::-1], *newer]
        page = _history(rows, keep=min(len(older), limit // 2) if newer else len(rows) - 1)
        is_cut = bool(page) and page[0].seq != rows[0].seq
        return History(messages=page, more=is_cut or len(older) > limit // 2)
    rows = list(messages.filter(seq__lt=before).order_by("-seq")[: limit + 1])
    page = _history(rows[:limit][::-1], keep=min(len(rows), limit) - 1)
    return History(messages=page, more=len(page) < len(rows))


def read_positions(slugs: Collection[str]) -> dict[str, StreamPosition]:
    """The position of each existing room by its slug. The hub reads it every few seconds for all its rooms."""
    fields = ("slug", "epoch", "position", "access_version", "is_archived")
    positions = {}
    for slug, epoch, position, version, is_archived in Room.objects.filter(slug__in=slugs).values_list(*fields):
        typing_rights.note_archived(slug, is_archived)
        positions[slug] = StreamPosition(epoch, position, version)
    return positions


def _messages(room: Room) -> QuerySet[Message]:
    """The messages up to the room's position, to be ordered by `seq`.

    The sum keeps databases from finding them by the index of positions: SQLite would sort a whole room for one page.
    """
    changes = Message.objects.filter(room=room).alias(unindexed_position=F("position") + 0)
    return changes.filter(unindexed_position__lte=room.position).select_related("author")


def _history(rows: list[Message], *, keep: int) -> list[MessageState]:
    return _fitting([message_state(row) for row in rows], page_bytes() - ENVELOPE_BYTES, keep=keep)


def _fitting(messages: list[MessageState], size: int, *, keep: int) -> list[MessageState]:
    """As many consecutive messages as fit: the one at index `keep`, of any size, and its nearest neighbours."""
    used = sum(map(frame_size, messages)) + len(messages)
    first, last = 0, len(messages) - 1
    while used > size and first < last:
        if keep - first > last - keep:
            dropped, first = messages[first], first + 1
        else:
            dropped, last = messages[last], last - 1
        used -= frame_size(dropped) + 1
    return messages[first : last + 1]
