"""A conversation during faults: senders on one process, readers on the others."""

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

RATE = 20.0  # Messages a second in all. The times in docs/reliability.md apply to this rate.
SENDERS = 4
READERS = 6
SETTLE_SECONDS = 20.0

_rooms = itertools.count(1)


class Talk:
    """A running conversation. `whole` ends it and compares all clients with the database."""

    def __init__(self, cluster: Cluster, room: str, senders: Sequence[Recorder], readers: Sequence[Recorder]) -> None:
        self.cluster = cluster
        self.room = room
        self.senders = senders
        self.readers = [*readers]
        self.report: Report | None = None
        self._posts: list[asyncio.Task[Sent]] = []
        self._sending = asyncio.create_task(self._send())

    @property
    def everybody(self) -> list[Recorder]:
        return [*self.senders, *self.readers]

    @property
    def sent(self) -> list[Sent]:
        """All posts, oldest first."""
        return sorted((sent for sender in self.senders for sent in sender.log.sent), key=lambda sent: sent.sent_at)

    async def say(self, count: int, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until `count` more messages, posted from now on, are acknowledged."""
        wanted = len(self._posts) + count
        async with asyncio.timeout(seconds):
            while len(self._posts) < wanted:
                await asyncio.sleep(0.02)
            await asyncio.gather(*self._posts[wanted - count : wanted])

    async def fall_silent(self, seconds: float = SETTLE_SECONDS) -> None:
        """Stop posting, and wait for all answers."""
        await _cancel(self._sending)
        async with asyncio.timeout(seconds):
            await asyncio.gather(*self._posts)

    async def whole(self, seconds: float = SETTLE_SECONDS) -> Report:
        """End the conversation; assert that all clients have exactly the messages of the database."""
        await self.fall_silent(seconds)
        record = await asyncio.to_thread(read_record, self.cluster.database_url, self.room)
        with suppress(TimeoutError):  # The report is more precise than the exception.
            async with asyncio.timeout(seconds):
                # All at one moment: an event may have arrived at the first while the last was waited for.
                while behind := [member for member in self.everybody if not member.has_reached(record.position)]:
                    await behind[0].wait_for_position(record.position, seconds)
        self.report = check(record, [member.log for member in self.everybody])
        assert self.report.is_consistent, str(self.report)
        assert self.report.acknowledged == self.report.saved == len(self.sent) > 0
        self._note_figures(self.report)
        return self.report

    def delays(self, since: float = 0.0) -> list[float]:
        """Seconds from acknowledgement to arrival at each reader, for posts after `since` (monotonic)."""
        return [
            max(0.0, reader.log.arrivals[sent.id] - sent.answered_at)
            for sent in self.sent
            if sent.sent_at >= since and sent.answered_at is not None
            for reader in self.readers
            if sent.id in reader.log.arrivals
        ]

    async def stop(self) -> None:
        await _cancel(self._sending)
        for post in self._posts:
            await _cancel(post)

    def _note_figures(self, report: Report) -> None:
        note("answered after", max(answer.after_seconds for sent in self.sent for answer in sent.answers))
        note("acknowledged after", max((sent.answered_at or 0.0) - sent.sent_at for sent in self.sent))
        note("late", max(self.delays(), default=0.0))
        if report.recoveries:
            note("away", max(report.recoveries))

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        started = loop.time()
        for number in itertools.count(1):
            # Concurrently: a post that waits for its answer does not delay the next one.
            sender = self.senders[number % len(self.senders)]
            self._posts.append(asyncio.create_task(sender.post(f"message {number}")))
            await asyncio.sleep(max(0.0, started + number / RATE - loop.time()))


@asynccontextmanager
async def talking(
    cluster: Cluster, *, senders: str = "web-1", readers: Sequence[str] = ("web-2",), seed: int = 1, http: bool = False
) -> AsyncIterator[Talk]:
    """A conversation in a new room: senders on one process, readers spread over other processes.

    Each client stays with its process while that answers, then falls back to the common port. With `http` all of them
    come by server-sent events and POST.
    """
    number = next(_rooms)
    names = [f"sender-{index}" for index in range(1, SENDERS + 1)]
    names += [f"reader-{index}" for index in range(1, READERS + 1)]
    processes = [*[senders] * SENDERS, *itertools.islice(itertools.cycle(readers), READERS)]
    room, *tokens = await asyncio.to_thread(_prepare, cluster, number, names)
    async with AsyncExitStack() as stack:
        people = [
            await stack.enter_async_context(
                Recorder(
                    name, room, cluster.addresses_of(process), token=token, random=Random(f"{seed} {name}"), http=http
                )
            )
            for name, process, token in zip(names, processes, tokens, strict=True)
        ]
        await asyncio.gather(*(person.wait_until_joined() for person in people))
        talk = Talk(cluster, room, people[:SENDERS], people[SENDERS:])
        stack.push_async_callback(talk.stop)
        yield talk


def _prepare(cluster: Cluster, number: int, names: Sequence[str]) -> list[str]:
    """Make a room and users; return the slug and a token for each user."""
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
