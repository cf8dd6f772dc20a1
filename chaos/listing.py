"""Pages that watch their user's list of rooms; at the end each list is that of the database."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from os import PathLike
from typing import Any

from chaos.topic_recording import TopicRecorder
from chaos.view import Breach, Frame, View

POLL_SECONDS = 0.2
LISTED = """
    SELECT room.slug, room.last_seq FROM chat_room room
    LEFT JOIN chat_membership mine ON mine.room_id = room.id AND mine.user_id = :person
    LEFT JOIN chat_personalstate own ON own.room_id = room.id AND own.user_id = :person
    WHERE (NOT room.is_private OR mine.role IN ('member', 'moderator'))
    AND (mine.banned_until IS NULL OR mine.banned_until < datetime('now'))
    AND (room.is_private OR own.has_left IS NULL OR NOT own.has_left)
"""


@dataclass(slots=True)
class ListView(View):
    """`rooms` at one client: the last seq by slug. Its frames have no positions."""

    rooms: dict[str, int] = field(default_factory=dict)

    def replace(self, state: Any) -> None:
        self.rooms = {room["slug"]: room["last_seq"] for room in state["items"]}

    def take(self, event: Frame) -> None:
        if event["type"] == "moved":
            for room in event["items"]:
                if room["last_seq"] < self.rooms.get(room["slug"], 0):
                    self.note("disordered", f"the list of rooms went back in {room['slug']}")
                self.rooms[room["slug"]] = room["last_seq"]
        elif event["type"] == "gone":
            for slug in event["keys"]:
                self.rooms.pop(slug, None)
        else:
            View.take(self, event)


Watcher = TopicRecorder[ListView]


async def check_lists(
    database: str | PathLike[str], watchers: Sequence[tuple[str, Watcher]], seconds: float
) -> list[Breach]:
    """Wait until the lists are those of the database, in which nothing changes any more.

    Args:
        database: of the site.
        watchers: each with the id of its user.
        seconds: to wait.

    Returns:
        The breaches.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(_differences(database, *each) for each in watchers):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(POLL_SECONDS)
    found: list[Breach] = []
    for person, watcher in watchers:
        found += [Breach(breach.kind, f"{watcher.log.name}: {breach.text}") for breach in watcher.log.view.breaches]
        found += [Breach("lost", f"{watcher.log.name}: {text}") for text in _differences(database, person, watcher)]
    return found


def _differences(database: str | PathLike[str], person: str, watcher: Watcher) -> list[str]:
    if not watcher.is_joined:
        return ["did not rejoin the list of rooms"]
    with closing(sqlite3.connect(database)) as connection:
        stored: dict[str, int] = dict(connection.execute(LISTED, {"person": int(person)}))
    has = watcher.log.view.rooms
    return [
        f"lists {slug} at {has.get(slug)}, and the database says {stored.get(slug)}"
        for slug in sorted(stored.keys() | has)
        if stored.get(slug) != has.get(slug)
    ]
