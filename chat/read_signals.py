"""What waits for the background of this process: first entries to be saved, and changes to be told.

Threads note; the service of the process (`telling`) takes.
"""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction

from chat import access
from chat.models import Room, database
from hubbub import users

MAX_ENTRIES = 20_000  # That wait, should the database be away. Others are noted at the next join.

_lock = threading.Lock()
_entries: dict[tuple[Any, int], int] = {}
_wakers: set[Callable[[], None]] = set()


def note_entry(user_key: Any, room_id: int, last_seq: int) -> None:
    """Note that a user has entered a room for the first time. No query: joins come by thousands."""
    with _lock:
        if len(_entries) < MAX_ENTRIES:
            _entries.setdefault((user_key, room_id), last_seq)
    wake()


def entered(user_id: str, room: Room, role: str) -> tuple[int, int]:
    """How far the user has read a room that `access.enter_room` has found: the seq and the version.

    A room that is entered first is read up to now; its row is made in the background. A reader's is not.
    """
    if room.read_seq is not None:  # type: ignore[attr-defined]
        return room.read_seq, room.read_version  # type: ignore[attr-defined]
    if role != access.READER:
        note_entry(users.key_of(user_id), room.pk, room.last_seq)
    return room.last_seq, 0


def take_entries() -> dict[tuple[Any, int], int]:
    """The noted entries: the last seq by user and room."""
    with _lock:
        taken = dict(_entries)
        _entries.clear()
    return taken


def note_again(entries: Iterable[tuple[Any, int, int]]) -> None:
    """Note entries that could not be saved."""
    for key, room_id, seq in entries:
        with _lock:
            _entries[key, room_id] = min(seq, _entries.get((key, room_id), seq))  # The first entry counts.


def wake_after_commit() -> None:
    """Wake the background when the transaction is committed."""
    transaction.on_commit(wake, using=database(), robust=True)


def wake() -> None:
    """Wake the background of this process, from any thread."""
    for waker in list(_wakers):
        waker()


def add_waker(waker: Callable[[], None]) -> None:
    """Let `waker` be called on each `wake`."""
    _wakers.add(waker)


def remove_waker(waker: Callable[[], None]) -> None:
    """Undo `add_waker`."""
    _wakers.discard(waker)
