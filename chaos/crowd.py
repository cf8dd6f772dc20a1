"""The people of a storm: in each room some write, edit, delete and repeat themselves, and all record what they get."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from random import Random
from types import TracebackType

from chaos.checking import Report, check, read_record
from chaos.log import Recovery, Sent
from chaos.recording import Address, Recorder
from chaos.site import Site

ROOMS = ("harbour", "market", "station")
WRITERS = 2  # In each room; they read as well.
READERS = 5
COMMANDS_A_SECOND = 3.5  # Of each writer: 21 in all, and every message goes to seven.
JOIN_SECONDS = 30.0
SETTLE_SECONDS = 45.0
POLL_SECONDS = 0.02

# Of a hundred commands; the others post something new.
EDITS, DELETIONS, REPEATED_POSTS = 12, 5, 5


class Party:
    """The people of one room, by their tokens."""

    def __init__(self, site: Site, room: str, tokens: Sequence[str], random: Random) -> None:
        self.room = room
        self._site = site
        self._random = random
        self.people = [
            Recorder(
                f"{room}-{number}",
                room,
                lambda: [Address(site.url)],
                token=token,
                random=Random(random.random()),  # noqa: S311 - no secret
                keeps_frames=False,
            )
            for number, token in enumerate(tokens, 1)
        ]
        self._stack = AsyncExitStack()
        self._commands: set[asyncio.Task[Sent]] = set()
        self._writing: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "Party":
        try:
            for one in self.people:
                await self._stack.enter_async_context(one)
            for one in self.people:
                await one.wait_until_joined(JOIN_SECONDS)
        except BaseException:
            await self._stack.aclose()
            raise
        self._writing = [asyncio.create_task(self._write(one)) for one in self.people[:WRITERS]]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in [*self._writing, *self._commands]:
            task.cancel()
        await asyncio.gather(*self._writing, *self._commands, return_exceptions=True)
        await self._stack.aclose()

    async def wait_until_whole(self, since: float) -> None:
        """Until everybody is joined, and has a message that was sent after `since` and all before it."""
        while True:
            told = [
                sent.ok["position"]
                for writer in self.people[:WRITERS]
                for sent in reversed(writer.log.sent[-200:])
                if sent.sent_at >= since and sent.ok is not None
            ]
            if told and all(one.is_joined and (one.log.view.position or 0) >= min(told) for one in self.people):
                return
            await asyncio.sleep(POLL_SECONDS)

    def recoveries_since(self, moment: float) -> list[Recovery]:
        return [one for person in self.people for one in person.log.recoveries if one.lost.at >= moment]

    def delays_since(self, moment: float) -> list[float]:
        """Seconds from the acknowledgement of each post since `moment` until it was with each who has it."""
        posts = [
            sent
            for writer in self.people[:WRITERS]
            for sent in writer.log.sent
            if sent.kind == "message.post" and sent.ok is not None and (sent.answered_at or 0.0) >= moment
        ]
        return [
            max(0.0, person.log.arrivals[sent.id] - (sent.answered_at or 0.0))
            for sent in posts
            for person in self.people
            if sent.id in person.log.arrivals
        ]

    async def finish(self) -> Report:
        """Write no more, wait for all answers and events, and compare with the database."""
        for task in self._writing:
            task.cancel()
        if self._commands:
            await asyncio.wait(self._commands, timeout=SETTLE_SECONDS)
        record = await asyncio.to_thread(read_record, f"sqlite:///{self._site.database}", self.room)
        with suppress(TimeoutError):  # Whoever does not come is in the report.
            async with asyncio.timeout(SETTLE_SECONDS):
                for one in self.people:
                    await one.wait_for_position(record.position, SETTLE_SECONDS)
        return check(record, [one.log for one in self.people])

    async def _write(self, writer: Recorder) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(COMMANDS_A_SECOND))
            # Not awaited: a person does not wait for one answer before the next thought.
            task = asyncio.create_task(self._say_something(writer))
            self._commands.add(task)
            task.add_done_callback(self._commands.discard)

    async def _say_something(self, writer: Recorder) -> Sent:
        posts = [one for one in writer.log.sent if one.kind == "message.post" and one.ok is not None]
        chance = self._random.randrange(100)
        number = len(writer.log.sent)
        if posts and chance < EDITS + DELETIONS + REPEATED_POSTS:
            old = self._random.choice(posts[-50:])
            if chance < EDITS:
                return await writer.edit(_seq_of(old), f"{writer.log.name} says {number}, edited")
            if chance < EDITS + DELETIONS:
                return await writer.delete(_seq_of(old))
            return await writer.post(old.body, old.id)
        return await writer.post(f"{writer.log.name} says {number} at {time.monotonic():.3f}")


def _seq_of(post: Sent) -> int:
    assert post.ok is not None
    seq: int = post.ok["seq"]
    return seq
