"""What was said, read for a joining, a resuming or a scrolling client, and for the hub's repairs. Reads only.

Each reads the room first and then only rows up to its position: what changes meanwhile comes as an event.
No transaction: with SQLite's IMMEDIATE it would take the write lock.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import msgspec
from django.db.models import QuerySet

from chat import access, conf
from chat.models import Message, Room
from chat.protocol import History, Joined, MessageState, RoomClosed, encode_messages, frame_size
from chat.serializers import group_of, message_event, message_state, room_changed, room_state, slug_of
from hubbub import conf as hubbub_conf
from hubbub.delivery.recovery import Changes, StreamPosition
from hubbub.protocol import ErrorCode, Refused, encode

PAGE_SECONDS = 1.0
# Read at a time for a repair, which every socket of the room is sent: after a long outage all of it at once would fill
# the outboxes of those who read well.
REPAIRED_CHANGES = 100
REPAIRED_CHARS = 128 * 1024
KEPT_PAGES = 32  # Each is at most `page_bytes` long.

# Bytes of an answer beside its messages, the room's title and description, and the users present: field names, numbers,
# and a `ref` of 64 characters, each of which may take 12 bytes.
ENVELOPE_BYTES = 1_536

# What others take in a frame changes from join to join. Pages differ by so much at least, so that one serves many.
SHARED_BYTES = 1_024

# Changed messages read at a time: a part holds as many as fit, and most resumes need no more.
READ_CHANGES = 64

# (room, epoch, position, after, size, users_changed) -> until when, and the page. Written by the reader threads.
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
    """The answer to a join: the changes after position `after`, or the first part of them; else the latest page.

    It leaves `present_bytes` of the frame to those who are present. A page that was read when `users_changed` was
    another is read again: its names may be old.
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
        # As it was encoded for whoever asked first.
        messages=cast(list[MessageState], page.messages),
        more=page.more,
    )


def room_for_present(joined: Joined) -> int:
    """Bytes of the frame that those who are present may take, beside the messages of `open_room`."""
    messages = memoryview(cast(msgspec.Raw, joined.messages)).nbytes
    return _page_bytes() - ENVELOPE_BYTES - frame_size(joined.room) - messages


@dataclass(frozen=True, slots=True)
class Page:
    """The messages of an answer to a join, encoded once for all who join at the same position.

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
    """What `read` says of the room at this position, or said less than a second ago: many come back at once."""
    key = (room.pk, room.epoch, room.position, after, size, users_changed)
    now = time.monotonic()
    known = _pages.get(key)
    if known is None or known[0] < now:
        for old in [one for one, (until, _) in [*_pages.items()] if until < now]:
            _pages.pop(old, None)
        if len(_pages) >= KEPT_PAGES:
            _pages.clear()
        known = _pages[key] = (now + PAGE_SECONDS, read(room, after, size))
    return known[1]


def _changes_since(room: Room, after: int | None, size: int) -> Page | None:
    """As many of the changes as fit, at least one; None when there are too many in all."""
    assert after is not None
    most = conf.settings().resume_changes
    # Each change has a position of its own.
    if room.position - after > most and _changed(room, after)[most : most + 1].exists():
        return None
    fitting: list[bytes] = []
    position, used = after, 2
    while rows := list(_changed(room, position)[:READ_CHANGES]):
        for one in rows:
            message = encode(message_state(one)).encode()
            used += len(message) + 1
            if fitting and used > size:
                return Page(position, _array(fitting), complete=True, more=True, partial=True)
            fitting.append(message)
            position = one.position
        if len(rows) < READ_CHANGES:
            break
    return Page(room.position, _array(fitting), complete=True, more=True)


def _changed(room: Room, after: int) -> QuerySet[Message]:
    return _messages(room).filter(position__gt=after).order_by("position")


def _array(encoded: list[bytes]) -> msgspec.Raw:
    return msgspec.Raw(b"[" + b",".join(encoded) + b"]")


def _latest_page(room: Room, _: int | None, size: int) -> Page:
    rows = list(_messages(room).order_by("-seq")[: conf.settings().page_messages])[::-1]
    messages = _fitting([message_state(one) for one in rows], size, keep=len(rows) - 1)
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
    """What changed in the room after position `after`, as it is now: the hub's repair."""
    slug = slug_of(group)
    room = Room.objects.filter(slug=slug).first()
    if room is None:
        return Changes(after, [], closed=encode(RoomClosed(room=slug, code="deleted")))
    rows = list(_messages(room).filter(position__gt=after).order_by("position")[: REPAIRED_CHANGES + 1])
    frames: list[tuple[int, str]] = []
    chars = 0
    for one in rows[:REPAIRED_CHANGES]:
        frames.append((one.position, encode(message_event(room.slug, one))))
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
    """Where each of the rooms that exist stands: the hub asks every few seconds for all it has."""
    rooms = Room.objects.filter(slug__in=[slug_of(one) for one in groups])
    found = rooms.values_list("slug", "epoch", "position", "access_version")
    return {group_of(slug): StreamPosition(epoch, position, access) for slug, epoch, position, access in found}


def find_revoked(users: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    """Of the users in each of the rooms, those who may not read it any more, each with the event that says so."""
    rooms = {slug_of(group): user_ids for group, user_ids in users.items()}
    found: dict[str, dict[str, str]] = {}
    for slug, user_ids in access.denied_users(rooms).items():
        found[group_of(slug)] = {
            user_id: encode(RoomClosed(room=slug, code=code)) for user_id, code in user_ids.items()
        }
    return found


def _messages(room: Room) -> QuerySet[Message]:
    return Message.objects.filter(room=room, position__lte=room.position).select_related("author")


def _history(rows: list[Message], *, keep: int) -> list[MessageState]:
    return _fitting([message_state(one) for one in rows], _page_bytes() - ENVELOPE_BYTES, keep=keep)


def _fitting(messages: list[MessageState], size: int, *, keep: int) -> list[MessageState]:
    """As many as fit, in a row: the one at index `keep`, of any size, and those nearest to it."""
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
