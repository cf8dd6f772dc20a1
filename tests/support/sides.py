"""Presence in tests. A side is the part of one process: a tracker, and the changes sent to members."""

import asyncio
from collections import Counter
from collections.abc import Callable

from redis import Redis

from hubbub.presence.store import PREFIX
from hubbub.presence.topic_presence import Change, People
from hubbub.presence.tracker import Tracker
from hubbub.protocol import Person, Presence

GROUP = "room.general"
ALICE, BOB, CHARLIE = (Person(user_id, name) for user_id, name in (("1", "alice"), ("2", "bob"), ("3", "charlie")))
INTERVAL = 0.05
GRACE = 1.0
LEASE = 3.0


class Page:
    """The list of names on a page, by the rules of docs/protocol.md."""

    def __init__(self, present: Presence | None) -> None:
        self.count = present.count if present else None
        is_named = present is not None and len(present.users) == present.count
        self.names = {user.id: user.name for user in present.users} if is_named else None

    def hear(self, change: Change) -> None:
        self.count = change.count
        if change.joined is None or change.left is None:
            self.names = None
            return
        self.names = self.names or {}
        for person in change.left:
            self.names.pop(person.id, None)
        self.names.update({person.id: person.name for person in change.joined})


class Side:
    """One process."""

    def __init__(self, url: str) -> None:
        self.tracker = Tracker(self._tell, url=url, interval_seconds=INTERVAL)
        self.deliveries: Counter[str] = Counter()
        self.changes: dict[str, list[Change]] = {}
        self.running = asyncio.create_task(self.tracker.run())

    def watch(self, group: str = GROUP) -> People:
        return self.tracker.watch(group, self._announce)

    def enter(self, *persons: Person, group: str = GROUP) -> People:
        people = self.watch(group)
        for person in persons:
            people.enter(person)
        return people

    def joined(self, group: str = GROUP) -> list[str]:
        return [user.name for change in self.changes.get(group, []) for user in change.joined or []]

    def left(self, group: str = GROUP) -> list[str]:
        return [user.name for change in self.changes.get(group, []) for user in change.left or []]

    async def kill(self) -> None:
        """End the side without any message, like kill -9."""
        # Repeated: redis-py sometimes swallows a cancellation.
        while not self.running.done():
            self.running.cancel()
            await asyncio.wait([self.running], timeout=0.1)
        await self.tracker.close()

    def _tell(self, group: str, current: Callable[[], str | None]) -> None:
        if current() is not None:
            self.deliveries.update([group])

    def _announce(self, group: str, change: Change) -> str:
        self.changes.setdefault(group, []).append(change)
        return "told"


def names(people: People) -> set[str] | None:
    """The names that members of this side know."""
    return None if people.announced is None else {*people.announced.values()}


def forget_everything(redis: Redis) -> int:
    """Delete all keys. The private Redis does not allow FLUSHALL."""
    keys = [*redis.scan_iter(f"hubbub:{PREFIX}:*")]
    return int(redis.delete(*keys)) if keys else 0
