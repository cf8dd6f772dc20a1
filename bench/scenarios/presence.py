"""The cost of presence for a process: `python -m bench.scenarios.presence`. Both processes have equal load.

CPU time per second; and, from a second run, the longest block of the event loop.
"""

import asyncio
import tempfile
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from django.conf import settings

from hubbub.presence.topic_presence import People
from hubbub.presence.tracker import Tracker
from hubbub.protocol import Person
from hubbub.supervisor import private_redis

ROOMS = 500
SOCKETS = 5_000
CHANGES_PER_SECOND = 50  # One per cent of all.
PHASE_SECONDS = 10.0
PROBE_SECONDS = 0.002


class Phase:
    def __init__(self, name: str) -> None:
        self.name = name
        self.together = threading.Barrier(2)
        # Of each side: CPU time in ms per second, the longest block in ms, notified groups per second.
        self.rows: list[tuple[float, float, float]] = []

    @property
    def middle(self) -> list[float]:
        return [sum(values) / len(values) for values in zip(*self.rows, strict=True)]


class Side:
    """One process's presence, in the event loop of a thread of its own: its CPU time is the thread's."""

    def __init__(self, url: str, first_id: int, *, is_probed: bool) -> None:
        self.is_probed = is_probed
        self.tracker = Tracker(self._notify, url=url)
        self.notified = 0
        self.worst_ms = 0.0
        self.rooms: list[People] = []
        self.persons = [Person(str(first_id + number), f"member-{first_id + number}") for number in range(SOCKETS)]

    async def run(self, phases: list[Phase]) -> None:
        running = asyncio.create_task(self.tracker.run())
        probing = asyncio.create_task(self._probe())
        await asyncio.sleep(1)
        for phase in phases:
            phase.together.wait()
            await asyncio.sleep(0.1)  # The wait is not to be counted.
            self.worst_ms, self.notified = 0.0, 0
            began, cpu = time.perf_counter(), time.thread_time()
            await getattr(self, phase.name)()
            took = time.perf_counter() - began
            phase.rows.append((1000 * (time.thread_time() - cpu) / took, self.worst_ms, self.notified / took))
        for task in (running, probing):
            task.cancel()
        await asyncio.wait([running, probing], timeout=1)
        await self.tracker.close()

    async def storm(self) -> None:
        """All users join within a second, and all groups are notified by the end."""
        for number in range(ROOMS):
            self.rooms.append(self.tracker.watch(f"room.{number}", lambda room, change: "changed"))
        for number, person in enumerate(self.persons):
            self.rooms[number % ROOMS].enter(person)
            if number % (SOCKETS // 100) == 0:
                await asyncio.sleep(0.01)
        while any(len(room.announced or ()) < 2 * SOCKETS // ROOMS for room in self.rooms):  # noqa: ASYNC110
            await asyncio.sleep(0.05)

    async def quiet(self) -> None:
        await asyncio.sleep(PHASE_SECONDS)

    async def busy(self) -> None:
        """Users join and leave one after the other."""
        for number in range(int(CHANGES_PER_SECOND * PHASE_SECONDS)):
            room = self.rooms[number % ROOMS]
            person = self.persons[number % ROOMS]
            if number % 2:
                room.evict([person.id or ""])
            else:
                room.enter(Person(str(10**6 + number), f"guest-{number}"))
            await asyncio.sleep(1 / CHANGES_PER_SECOND)

    def _notify(self, room: str, current: Callable[[], str | None]) -> None:
        self.notified += current() is not None

    async def _probe(self) -> None:
        while self.is_probed:
            before = time.perf_counter()
            await asyncio.sleep(PROBE_SECONDS)
            self.worst_ms = max(self.worst_ms, 1000 * (time.perf_counter() - before - PROBE_SECONDS))


def main() -> None:
    settings.configure()
    phases, probed = (measure(is_probed=is_probed) for is_probed in (False, True))
    print(f"{ROOMS} rooms, {SOCKETS:,} users here, and as many in another process")
    for phase, other in zip(phases, probed, strict=True):
        cpu_ms, _, notified = phase.middle
        blocked_ms = other.middle[1]
        print(f"{phase.name}: {cpu_ms:.1f} ms of CPU/s, loop blocked {blocked_ms:.1f} ms, {notified:.0f} notified/s")


def measure(*, is_probed: bool) -> list[Phase]:
    phases = [Phase(name) for name in ("storm", "quiet", "busy")]
    with tempfile.TemporaryDirectory(prefix="hubbub-presence-") as folder:
        path = Path(folder) / "redis.sock"
        with private_redis.running(path):
            sides = [partial(_run, f"unix://{path}", first, phases, is_probed) for first in (0, SOCKETS)]
            threads = [threading.Thread(target=side) for side in sides]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
    return phases


def _run(url: str, first_id: int, phases: list[Phase], is_probed: bool) -> None:
    async def run() -> None:
        await Side(url, first_id, is_probed=is_probed).run(phases)

    asyncio.run(run())


if __name__ == "__main__":
    main()
