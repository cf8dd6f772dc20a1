"""What was said, read for a joining, a resuming or a scrolling client, and for the hub's repairs. Reads only.

Each reads the room first and then only rows up to its position: what changes meanwhile comes as an event.
No transaction: with SQLite's IMMEDIATE it would take the write lock.
"""

from django.db.models import QuerySet

from chat import access, conf
from chat.frames import message_event, message_state, room_changed, room_state, slug_of
from chat.models import Message, Room
from chat.protocol import History, Joined, MessageState, frame_size
from realtime import conf as realtime_conf
from realtime.protocol import ErrorCode, Refused, encode


def open_room(*, user_id: int, slug: str, after: int | None, epoch: str | None) -> Joined:
    """The answer to a join: all that changed after position `after` if that can be told, else the latest page."""
    room = access.room_for(user_id, slug)
    role = access.role_in(user_id, room)
    if after is not None and epoch == room.epoch and room.purged_position <= after <= room.position:
        most = conf.settings().resume_changes
        changed = list(_messages(room).filter(position__gt=after).order_by("position")[: most + 1])
        joined = _joined(room, role, changed, complete=True, more=True)
        if len(changed) <= most and frame_size(joined) <= realtime_conf.settings().sent_frame_bytes:
            return joined
    page = _messages(room).order_by("-seq")[: conf.settings().page_messages]
    latest = list(page)[::-1]
    joined = _joined(room, role, latest, complete=False, more=bool(latest) and latest[0].seq > 1)
    joined.messages, cut = _fitting(joined.messages, frame_size(joined), drop_first=True)
    joined.more = joined.more or cut
    return joined


def read_history(
    *, user_id: int, slug: str, before: int | None, after: int | None, around: int | None, limit: int
) -> History:
    """Up to `limit` messages, oldest first, before, after or around a seq."""
    if [before, after, around].count(None) != 2:
        raise Refused(ErrorCode.INVALID, "give exactly one of before, after and around")
    messages = _messages(access.room_for(user_id, slug))
    if after is not None:
        rows = list(messages.filter(seq__gt=after).order_by("seq")[: limit + 1])
        return _page(rows[:limit], more=len(rows) > limit, drop_first=False)
    if around is not None:
        newer = list(messages.filter(seq__gte=around).order_by("seq")[: (limit + 1) // 2])
        older = list(messages.filter(seq__lt=around).order_by("-seq")[: limit // 2 + 1])
        rows = [*older[: limit // 2][::-1], *newer]
        return _page(rows, more=len(older) > limit // 2, drop_first=True)
    rows = list(messages.filter(seq__lt=before).order_by("-seq")[: limit + 1])
    return _page(rows[:limit][::-1], more=len(rows) > limit, drop_first=True)


def read_changes(group: str, after: int) -> tuple[int, list[tuple[int, str]]]:
    """The room's position now, and what changed after `after` as (position, frame), rising: the hub's repair."""
    room = Room.objects.get(slug=slug_of(group))
    changes = [
        (message.position, encode(message_event(room.slug, message)))
        for message in _messages(room).filter(position__gt=after).order_by("position")
    ]
    if room.changed_position > after:
        changes.append((room.changed_position, encode(room_changed(room))))
        changes.sort()
    return room.position, changes


def _messages(room: Room) -> QuerySet[Message]:
    return Message.objects.filter(room=room, position__lte=room.position).select_related("author")


def _joined(room: Room, role: str, messages: list[Message], *, complete: bool, more: bool) -> Joined:
    return Joined(
        room=room_state(room, role),
        epoch=room.epoch,
        position=room.position,
        complete=complete,
        messages=[message_state(one) for one in messages],
        more=more,
    )


def _page(rows: list[Message], *, more: bool, drop_first: bool) -> History:
    page = History(messages=[message_state(one) for one in rows], more=more)
    page.messages, cut = _fitting(page.messages, frame_size(page), drop_first=drop_first)
    page.more = page.more or cut
    return page


def _fitting(messages: list[MessageState], size: int, *, drop_first: bool) -> tuple[list[MessageState], bool]:
    """As many as fit into a frame that would have `size` bytes with all of them, and whether some were left out."""
    kept = list(messages)
    while kept and size > realtime_conf.settings().sent_frame_bytes:
        size -= frame_size(kept.pop(0 if drop_first else -1)) + 1
    return kept, len(kept) < len(messages)
