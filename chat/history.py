"""What was said, read for a joining, a resuming or a scrolling client, and for the hub's repairs. Reads only.

Each reads the room first and then only rows up to its position: what changes meanwhile comes as an event.
No transaction: with SQLite's IMMEDIATE it would take the write lock.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import msgspec
from django.db.models import QuerySet

from chat import access, conf
from chat.frames import group_of, message_event, message_state, room_changed, room_state, slug_of
from chat.models import Message, Room
from chat.protocol import History, Joined, MessageState, RoomClosed, encode_messages, frame_size
from realtime import conf as realtime_conf
from realtime.presence import MOST_NAMED, MOST_NAMES_BYTES
from realtime.protocol import ErrorCode, Refused, encode
from realtime.record import Changes, Standing

PAGE_SECONDS = 1.0
# Read at a time for a repair, which every socket of the room is sent: after a long outage all of it at once would fill
# the outboxes of those who read well.
REPAIRED_CHANGES = 100
REPAIRED_CHARS = 128 * 1024
KEPT_PAGES = 32  # Each is at most a frame long.

# What stands around the messages in an answer: the room with its title and topic, each at most 12 bytes a character,
# and those who are present (see realtime.presence), of whose names each byte may take two.
ENVELOPE_BYTES = 4_096 + 2 * MOST_NAMES_BYTES + 64 * MOST_NAMED

# (room, epoch, position, after) -> until when, and the page. Written by the reader threads, an entry at a time.
_pages: dict[tuple[int, str, int, int | None], "tuple[float, Page | None]"] = {}


def open_room(*, user_id: str, slug: str, after: int | None, epoch: str | None) -> Joined:
    """The answer to a join: all that changed after position `after` if that can be told, else the latest page."""
    room, role = access.enter_room(user_id, slug)
    page = None
    if after is not None and epoch == room.epoch and room.purged_position <= after <= room.position:
        page = _recent(room, after, _changes_since)
    if page is None:
        page = _recent(room, None, _latest_page)
    assert page is not None
    return Joined(
        room=room_state(room, role),
        epoch=room.epoch,
        position=room.position,
        complete=page.complete,
        # As it was encoded for whoever asked first.
        messages=cast(list[MessageState], page.messages),
        more=page.more,
    )


@dataclass(frozen=True, slots=True)
class Page:
    """The messages of an answer to a join, encoded once for all who join at the same position."""

    messages: msgspec.Raw
    complete: bool
    more: bool


def _recent(room: Room, after: int | None, read: Callable[[Room, int | None], Page | None]) -> Page | None:
    """What `read` says of the room at this position, or said less than a second ago: many come back at once."""
    key = (room.pk, room.epoch, room.position, after)
    now = time.monotonic()
    known = _pages.get(key)
    if known is None or known[0] < now:
        for old in [one for one, (until, _) in [*_pages.items()] if until < now]:
            _pages.pop(old, None)
        if len(_pages) >= KEPT_PAGES:
            _pages.clear()
        known = _pages[key] = (now + PAGE_SECONDS, read(room, after))
    return known[1]


def _changes_since(room: Room, after: int | None) -> Page | None:
    """None: too many, or too large for a frame."""
    most = conf.settings().resume_changes
    changed = list(_messages(room).filter(position__gt=after).order_by("position")[: most + 1])
    messages = encode_messages([message_state(one) for one in changed])
    if len(changed) > most or len(messages) > _room_in_frame():
        return None
    return Page(msgspec.Raw(messages), complete=True, more=True)


def _latest_page(room: Room, _: int | None) -> Page:
    rows = list(_messages(room).order_by("-seq")[: conf.settings().page_messages])[::-1]
    messages, cut = _fitting([message_state(one) for one in rows], drop_first=True)
    more = cut or (bool(messages) and messages[0].seq > 1)
    return Page(msgspec.Raw(encode_messages(messages)), complete=False, more=more)


def read_history(
    *, user_id: str, slug: str, before: int | None, after: int | None, around: int | None, limit: int
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
    return Changes(position, frames, more)


def read_standings(groups: list[str]) -> dict[str, Standing]:
    """Where each of the rooms that exist stands: the hub asks every few seconds for all it has."""
    rooms = Room.objects.filter(slug__in=[slug_of(one) for one in groups])
    found = rooms.values_list("slug", "epoch", "position", "access_version")
    return {group_of(slug): Standing(epoch, position, access) for slug, epoch, position, access in found}


def read_shut_out(users: dict[str, set[str]]) -> dict[str, dict[str, str]]:
    """Of the users in each of the rooms, those who may not read it any more, each with the event that says so."""
    rooms = {slug_of(group): user_ids for group, user_ids in users.items()}
    found: dict[str, dict[str, str]] = {}
    for slug, user_ids in access.unwelcome_in(rooms).items():
        found[group_of(slug)] = {
            user_id: encode(RoomClosed(room=slug, code=code)) for user_id, code in user_ids.items()
        }
    return found


def _messages(room: Room) -> QuerySet[Message]:
    return Message.objects.filter(room=room, position__lte=room.position).select_related("author")


def _page(rows: list[Message], *, more: bool, drop_first: bool) -> History:
    messages, cut = _fitting([message_state(one) for one in rows], drop_first=drop_first)
    return History(messages=messages, more=more or cut)


def _fitting(messages: list[MessageState], *, drop_first: bool) -> tuple[list[MessageState], bool]:
    """As many as fit into a frame, and whether some were left out."""
    kept = deque(messages)
    size = len(encode_messages(messages))
    while kept and size > _room_in_frame():
        size -= frame_size(kept.popleft() if drop_first else kept.pop()) + 1
    return list(kept), len(kept) < len(messages)


def _room_in_frame() -> int:
    return realtime_conf.settings().sent_frame_bytes - ENVELOPE_BYTES
