"""Reads messages for clients that join, resume or scroll, and for the hub's repairs. Never writes.

Each function reads the room first and then rows up to its position: later changes arrive as events.
No transaction: SQLite's IMMEDIATE mode would take the write lock.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import msgspec
from django.db.models import QuerySet

from chat import access, conf, revocation
from chat.models import Message, Room
from chat.protocol import History, Joined, MessageState, RoomClosed, encode_messages, frame_size
from chat.serializers import group_of, message_event, message_state, room_changed, room_state, slug_of
from hubbub import conf as hubbub_conf
from hubbub.delivery.recovery import Changes, StreamPosition
from hubbub.protocol import ErrorCode, Refused, encode

PAGE_SECONDS = 1.0
# The size of one repair, which is sent to every socket of the room: all changes of a long outage at once would overflow
# outboxes.
REPAIRED_CHANGES = 100
REPAIRED_CHARS = 128 * 1024
KEPT_PAGES = 32  # Each is at most `page_bytes` long.

# Bytes of an answer beside its messages, the room's title and description, and the users present: field names, numbers,
# and a `ref` of 64 characters, each of which may take 12 bytes.
ENVELOPE_BYTES = 1_536

# Page sizes are rounded down to this: the space for presence varies from join to join, and one page serves many.
SHARED_BYTES = 1_024

# Changed messages per query: most resumes need no more.
READ_CHANGES = 64

# (room, epoch, position, after, size, users_changed) -> (expiry, page). Written by the reader threads.
_pages: dict[tuple[int, str, int, int | None, int, int], "tuple[float, Page | None]"] = {}


def open_room(
    *,
    user_id: str,
    slug: str,
    after: int | None,
    epoch: str | None,
    may_be_partial: bool = True,
    present_bytes: int = 0,
    users_changed: int = 0,
) -> Joined:
    """The answer to a join: the changes after position `after` or the first part of them, or the latest page.

    Args:
        may_be_partial: False: the latest page instead of a part.
        present_bytes: Bytes of the frame that are left free for the users present.
        users_changed: A counter of changes of users: a cached page of another value may have old names.

    Raises:
        Refused: `not_found`.
    """
    room, role = access.enter_room(user_id, slug)
    state = room_state(room, role)
    size = _page_bytes() - ENVELOPE_BYTES - frame_size(state) - present_bytes
    size -= size % SHARED_BYTES
    page = None
    if after is not None and epoch == room.epoch and room.purged_position <= after <= room.position:
        page = _recent(room, after, size, users_changed, _changes_since)
    if page is None or (page.partial and not may_be_partial):
        page = _recent(room, None, size, users_changed, _latest_page)
    assert page is not None
    return Joined(
        room=state,
        epoch=room.epoch,
        position=page.position,
        complete=page.complete,
        partial=page.partial,
        # The cached encoding, shared by many joins.
        messages=cast(list[MessageState], page.messages),
        more=page.more,
    )


def room_for_present(joined: Joined) -> int:
    """Bytes of the frame left for the users present, beside the messages of `open_room`."""
    messages = memoryview(cast(msgspec.Raw, joined.messages)).nbytes
    return _page_bytes() - ENVELOPE_BYTES - frame_size(joined.room) - messages


@dataclass(frozen=True, slots=True)
class Page:
    """The messages of an answer to a join, encoded once for all joins at the same position.

    `partial`: there are changes after `position`.
    """

    position: int
    messages: msgspec.Raw
    complete: bool
    more: bool
    partial: bool = False


def _recent(
    room: Room,
    after: int | None,
    size: int,
    users_changed: int,
    read: Callable[[Room, int | None, int], Page | None],
) -> Page | None:
    """The page by `read`, cached for PAGE_SECONDS: many clients reconnect at once."""
    key = (room.pk, room.epoch, room.position, after, size, users_changed)
    now = time.monotonic()
    cached = _pages.get(key)
    if cached is None or cached[0] < now:
        for expired in [other for other, (until, _) in [*_pages.items()] if until < now]:
            _pages.pop(expired, None)
        if len(_pages) >= KEPT_PAGES:
            _pages.clear()
        cached = _pages[key] = (now + PAGE_SECONDS, read(room, after, size))
    return cached[1]


def _changes_since(room: Room, after: int | None, size: int) -> Page | None:
    """As many changes as fit, at least one; None if there are too many in total."""
    assert after is not None
    max_changes = conf.settings().resume_changes
    # Without a query where possible: each change has its own position.
    if room.position - after > max_changes and _changed(room, after)[max_changes : max_changes + 1].exists():
        return None
    fitting: list[bytes] = []
    position, used = after, 2
    while rows := list(_changed(room, position)[:READ_CHANGES]):
        for row in rows:
            message = encode(message_state(row)).encode()
            used += len(message) + 1
            if fitting and used > size:
                return Page(position, _array(fitting), complete=True, more=True, partial=True)
            fitting.append(message)
            position = row.position
        if len(rows) < READ_CHANGES:
            break
    return Page(room.position, _array(fitting), complete=True, more=True)


def _changed(room: Room, after: int) -> QuerySet[Message]:
    return _messages(room).filter(position__gt=after).order_by("position")


def _array(encoded: list[bytes]) -> msgspec.Raw:
    return msgspec.Raw(b"[" + b",".join(encoded) + b"]")


def _latest_page(room: Room, _: int | None, size: int) -> Page:
    rows = list(_messages(room).order_by("-seq")[: conf.settings().page_messages])[::-1]
    messages = _fitting([message_state(row) for row in rows], size, keep=len(rows) - 1)
    more = bool(messages) and messages[0].seq > 1
    return Page(room.position, msgspec.Raw(encode_messages(messages)), complete=False, more=more)


def read_history(
    *, user_id: str, slug: str, before: int | None, after: int | None, around: int | None, limit: int
) -> History:
    """Up to `limit` messages, oldest first, before, after or around a seq."""
    if [before, after, around].count(None) != 2:
        raise Refused(ErrorCode.INVALID, "give exactly one of before, after and around")
    messages = _messages(access.room_for(user_id, slug))
    if after is not None:
        rows = list(messages.filter(seq__gt=after).order_by("seq")[: limit + 1])
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


def read_changes(group: str, after: int) -> Changes:
    """The messages changed after position `after`, in their current state: a repair for the hub."""
    slug = slug_of(group)
    room = Room.objects.filter(slug=slug).first()
    if room is None:
        return Changes(after, [], closed=encode(RoomClosed(room=slug, code="deleted")))
    rows = list(_messages(room).filter(position__gt=after).order_by("position")[: REPAIRED_CHANGES + 1])
    frames: list[tuple[int, str]] = []
    chars = 0
    for row in rows[:REPAIRED_CHANGES]:
        frames.append((row.position, encode(message_event(room.slug, row))))
        chars += len(frames[-1][1])
        if chars > REPAIRED_CHARS:
            break
    more = len(frames) < len(rows)
    position = frames[-1][0] if more else room.position
    if after < room.changed_position <= position:
        frames.append((room.changed_position, encode(room_changed(room))))
        frames.sort()
    return Changes(position, frames, more, epoch=room.epoch)


def read_positions(groups: list[str]) -> dict[str, StreamPosition]:
    """The position of each existing room. The hub reads it every few seconds for all its rooms."""
    rooms = Room.objects.filter(slug__in=[slug_of(group) for group in groups])
    positions = rooms.values_list("slug", "epoch", "position", "access_version")
    return {group_of(slug): StreamPosition(epoch, position, access) for slug, epoch, position, access in positions}


def find_revoked(users: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    """The users that have lost access to their room, with their last event, by group and user id."""
    rooms = {slug_of(group): user_ids for group, user_ids in users.items()}
    events: dict[str, dict[str, str]] = {}
    for slug, user_ids in revocation.denied_users(rooms).items():
        events[group_of(slug)] = {
            user_id: encode(RoomClosed(room=slug, code=code)) for user_id, code in user_ids.items()
        }
    return events


def _messages(room: Room) -> QuerySet[Message]:
    return Message.objects.filter(room=room, position__lte=room.position).select_related("author")


def _history(rows: list[Message], *, keep: int) -> list[MessageState]:
    return _fitting([message_state(row) for row in rows], _page_bytes() - ENVELOPE_BYTES, keep=keep)


def _fitting(messages: list[MessageState], size: int, *, keep: int) -> list[MessageState]:
    """As many consecutive messages as fit: the one at index `keep`, of any size, and its nearest neighbours."""
    used = len(encode_messages(messages))
    first, last = 0, len(messages) - 1
    while used > size and first < last:
        if keep - first > last - keep:
            dropped, first = messages[first], first + 1
        else:
            dropped, last = messages[last], last - 1
        used -= frame_size(dropped) + 1
    return messages[first : last + 1]


def _page_bytes() -> int:
    return min(conf.settings().page_bytes, hubbub_conf.settings().sent_frame_bytes)
