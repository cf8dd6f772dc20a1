"""Two pages of one person who reads and marks unread on both; at the end both agree with the database."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from os import PathLike
from random import Random
from typing import Any

from chaos.connecting import Address
from chaos.topic_recording import TopicRecorder
from chaos.view import Breach, Frame, View
from hubbub.client import Refused

REPORTS_PER_SECOND = 2.0
POLL_SECONDS = 0.1
READ_STATES = """
    SELECT room.slug, mine.read_seq, mine.read_version, mine.position = 0
    FROM chat_personalstate mine JOIN chat_room room ON room.id = mine.room_id WHERE mine.user_id = ?
"""


@dataclass(slots=True)
class PersonView(View):
    """`person/<id>` at one client: the seq and the version by room."""

    rooms: dict[str, tuple[int, int]] = field(default_factory=dict)

    def replace(self, state: Any) -> None:
        self.rooms = {slug: _pair(mine) for slug, mine in state["rooms"].items()}

    def apply(self, event: Frame) -> None:
        self.rooms[event["room"]] = _pair(event)


class PersonTab(TopicRecorder[PersonView]):
    """A page of a person, in one room: it reads and marks unread at random. `more`: as of TopicRecorder."""

    def __init__(
        self, name: str, person: str, room: str, addresses: Callable[[], Sequence[Address]], **more: Any
    ) -> None:
        super().__init__(name, "/ws/chat/", f"person/{person}", PersonView(), addresses, **more)
        self.person = person
        self._room = f"room/{room}"
        self._version = 0

    async def report(self, random: Random) -> None:
        """Report until cancelled; a report that is lost is not repeated, as of our pages."""
        while True:
            await asyncio.sleep(random.expovariate(REPORTS_PER_SECOND))
            seq = random.randrange(1, 1_000)
            with suppress(Refused, ConnectionError):
                if random.randrange(4):
                    result = await self._client.send(
                        self._room, "room.read", retry=False, seq=seq, version=self._version
                    )
                else:
                    result = await self._client.send(self._room, "room.unread", retry=False, seq=seq)
                self._version = result["version"]


async def check_tabs(database: str | PathLike[str], tabs: Sequence[PersonTab], seconds: float) -> list[Breach]:
    """Wait until the tabs, which report nothing more, have what the database has. Returns the breaches."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while any(_differences(tab, *_stored(database, tab.person)) for tab in tabs):  # noqa: ASYNC110 - of another process
                await asyncio.sleep(POLL_SECONDS)
    found = [Breach(breach.kind, f"{tab.log.name}: {breach.text}") for tab in tabs for breach in tab.log.view.breaches]
    return found + [
        Breach("lost", f"{tab.log.name}: {text}")
        for tab in tabs
        for text in _differences(tab, *_stored(database, tab.person))
    ]


def _stored(database: str | PathLike[str], person: str) -> tuple[dict[str, tuple[int, int]], list[str]]:
    """Of the person: the seq and the version by room, and the rooms whose last change is not told."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(READ_STATES, [person]).fetchall()
    return {slug: (seq, version) for slug, seq, version, _ in rows}, [row[0] for row in rows if row[3]]


def _differences(tab: PersonTab, stored: dict[str, tuple[int, int]], untold: Sequence[str]) -> list[str]:
    if not tab.is_joined:
        return ["did not rejoin the person's topic"]
    found = [f"the change of {slug} was not told" for slug in untold]
    for slug in stored.keys() | tab.log.view.rooms:
        has, wanted = tab.log.view.rooms.get(slug), stored.get(slug)
        if has != wanted:
            found.append(f"has read {slug} up to {has}, and the database says {wanted}")
    return found


def _pair(mine: Frame) -> tuple[int, int]:
    return mine.get("read_seq", 0), mine.get("read_version", 0)
