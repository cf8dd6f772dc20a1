"""People who talk while something breaks: some write through one process, others read through the others."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from random import Random

from chaos.checking import Report, check, read_record
from chaos.log import Sent
from chaos.recording import Recorder
from tests.support.cluster import Cluster
from tests.support.stats import note

RATE = 20.0  # Messages a second in all: the times in docs/reliability.md are for this.
SENDERS = 4
READERS = 6
SETTLE_SECONDS = 20.0

_rooms = itertools.count(1)


class Talk:
    """A running talk. `whole` ends it and compares everything with the database."""

    def __init__(self, cluster: Cluster, room: str, senders: Sequence[Recorder], readers: Sequence[Recorder]) -> None:
        self.cluster = cluster
        self.room = room
        self.senders = senders
        self.readers = readers
        self.report: Report | None = None
        self._posts: list[asyncio.Task[Sent]] = []
        self._sending = asyncio.create_task(self._send())

    @property
    def everybody(self) -> list[Recorder]:
        return [*self.senders, *self.readers]

    @property
    def sent(self) -> list[Sent]:
        """All posts, oldest first."""
        return sorted((sent for one in self.senders for sent in one.log.sent), key=lambda sent: sent.sent_at)

    async def say(self, count: int, seconds: float = SETTLE_SECONDS) -> None:
        """Go on until `count` more messages, begun from now on, are acknowledged."""
        wanted = len(self._posts) + count
        async with asyncio.timeout(seconds):
            while len(self._posts) < wanted:
                await asyncio.sleep(0.02)
            await asyncio.gather(*self._posts[wanted - count : wanted])

    async def fall_silent(self, seconds: float = SETTLE_SECONDS) -> None:
        """Post nothing more, and wait for the answers to what was posted."""
        await _cancel(self._sending)
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._posts)

    async def whole(self, seconds: float = SETTLE_SECONDS) -> Report:
        """End the talk; assert that everybody comes to have exactly what the database has."""
        await self.fall_silent(seconds)
        record = await asyncio.to_thread(read_record, self.cluster.database_url, self.room)
        with suppress(TimeoutError):  # The report says more than the exception.
            await asyncio.gather(*(one.wait_for_position(record.position, seconds) for one in self.everybody))
        self.report = check(record, [one.log for one in self.everybody])
        assert self.report.is_consistent, str(self.report)
        assert self.report.acknowledged == self.report.saved == len(self.sent) > 0
        self._note_figures(self.report)
        return self.report

    def delays(self, since: float = 0.0) -> list[float]:
        """Seconds from the acknowledgement to each reader's screen, of what was sent after `since` (monotonic)."""
        return [
            max(0.0, reader.log.arrivals[one.id] - one.answered_at)
            for one in self.sent
            if one.sent_at >= since and one.answered_at is not None
            for reader in self.readers
            if one.id in reader.log.arrivals
        ]

    async def stop(self) -> None:
        await _cancel(self._sending)
        for one in self._posts:
            await _cancel(one)

    def _note_figures(self, report: Report) -> None:
        note("answered after", max(answer.after_seconds for one in self.sent for answer in one.answers))
        note("acknowledged after", max((one.answered_at or 0.0) - one.sent_at for one in self.sent))
        note("late", max(self.delays(), default=0.0))
        if report.recoveries:
            note("away", max(report.recoveries))

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number in itertools.count(1):
            # Not one after the other: what waits for an answer does not slow what comes after.
            sender = self.senders[number % len(self.senders)]
            self._posts.append(asyncio.create_task(sender.post(f"message {number}")))
            await asyncio.sleep(max(0.0, started + number / RATE - loop.time()))


@asynccontextmanager
async def talking(
    cluster: Cluster, *, senders: str = "web-1", readers: Sequence[str] = ("web-2",), seed: int = 1
) -> AsyncIterator[Talk]:
    """A talk in a room of its own: the senders on one process, the readers spread over others by name.

    Each stays with its process as long as that answers; then it goes where the common port leads.
    """
    number = next(_rooms)
    names = [f"sender-{index}" for index in range(1, SENDERS + 1)]
    names += [f"reader-{index}" for index in range(1, READERS + 1)]
    processes = [*[senders] * SENDERS, *itertools.islice(itertools.cycle(readers), READERS)]
    room, *tokens = await asyncio.to_thread(_prepare, cluster, number, names)
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(
                Recorder(name, room, cluster.addresses_of(process), token=token, random=Random(f"{seed} {name}"))
            )
            for name, process, token in zip(names, processes, tokens, strict=True)
        ]
        await asyncio.gather(*(one.wait_until_joined() for one in people))
        talk = Talk(cluster, room, people[:SENDERS], people[SENDERS:])
        stack.push_async_callback(talk.stop)
        yield talk


def _prepare(cluster: Cluster, number: int, names: Sequence[str]) -> list[str]:
    """The slug of a new room, and a token for each of new users."""
    return cluster.shell(
        f"""
        from django.contrib.auth import get_user_model
        from chat import services
        from hubbub.auth.tokens import create_token
        print(services.create_room(slug="talk-{number}", title="Talk {number}").slug)
        for name in {list(names)!r}:
            user = get_user_model().objects.create_user(username=f"{{name}}-{number}")
            print(create_token(user=user, name="test", expires_at=None)[1])
        """
    ).split()


async def _cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
