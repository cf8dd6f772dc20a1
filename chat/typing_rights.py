"""Where users may not type, as this process knows it: a told command asks no database. A leaf.

It forgets the oldest past a bound: then a typing that nobody should send is shown, and no more.
"""

import threading
from typing import Any

MAX_NOTED = 10_000

_lock = threading.Lock()
_readers: dict[tuple[str, str], None] = {}
_archived: dict[str, None] = {}


def may_type(slug: str, user_id: str | None) -> bool:
    """Whether the user, who has joined the room, may write there, as far as this process knows."""
    return slug not in _archived and (slug, user_id) not in _readers


def note_reader(slug: str, user_id: str, is_reader: bool) -> None:
    """Note at a join, and at a check of access, whether the user only reads the room."""
    _note(_readers, (slug, user_id), is_reader)


def note_archived(slug: str, is_archived: bool) -> None:
    """Note at each read of the room's position whether the room is archived."""
    _note(_archived, slug, is_archived)


def _note(noted: dict[Any, None], key: Any, is_so: bool) -> None:
    if is_so == (key in noted):
        return  # Nearly always: no lock then.
    with _lock:
        if not is_so:
            noted.pop(key, None)
            return
        noted[key] = None
        if len(noted) > MAX_NOTED:
            del noted[next(iter(noted))]
