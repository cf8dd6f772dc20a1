"""The clients of a storm: in each room some post, edit, delete and repeat posts, and all record their frames."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from random import Random
from types import TracebackType

from chaos.checking import Report, check, read_record
from chaos.connecting import Address
from chaos.listing import ListView, Watcher, check_lists
from chaos.log import Recovery, Sent
from chaos.reading import PersonTab, check_tabs
from chaos.recording import Recorder
from chaos.site import Site

ROOMS = ("harbour", "market", "station")
WRITERS = 2  # In each room; they read as well.
READERS = 5
COMMANDS_PER_SECOND = 3.5  # Of each writer: 21 in all, and every message goes to seven clients.
JOIN_SECONDS = 30.0
SETTLE_SECONDS = 45.0
POLL_SECONDS = 0.02

# Percent of the commands; the rest are new posts.
EDIT_PERCENT, DELETE_PERCENT, REPEAT_PERCENT = 12, 5, 5


class RoomClients:
    """The recording clients of one room, one for each token. Connected while the context is entered."""

    def __init__(self, site: Site, room: str, tokens: Sequence[str], random: Random, *, http: bool = False) -> None:
        self.room = room
        self._site = site
        self._random = random
        self.clients = [
            Recorder(
                f"{room}-{number}",
                room,
                lambda: [Address(site.url)],
                token=token,
                random=Random(random.random()),  # noqa: S311 - no secret
                keeps_frames=False,
                http=http,
            )
            for number, token in enumerate(tokens, 1)
        ]
        self._token, self._is_http = tokens[0], http
        self.tabs: list[PersonTab] = []  # Two pages of the first client's user, who reads and marks unread.
        self.watchers: list[tuple[str, Watcher]] = []  # Two pages of that user with the list of rooms.
        self._reading: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()
        self._commands: set[asyncio.Task[Sent]] = set()
        self._writing: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> "RoomClients":
        try:
            for client in self.clients:
                await self._stack.enter_async_context(client)
            for client in self.clients:
                await client.wait_until_joined(JOIN_SECONDS)
            await self._open_tabs()
            await self._open_watchers()
        except BaseException:
            await self._stack.aclose()
            raise
        self._reading = [asyncio.create_task(tab.report(self._random)) for tab in self.tabs]
        self._writing = [asyncio.create_task(self._write(writer)) for writer in self.clients[:WRITERS]]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        running = [*self._writing, *self._reading, *self._commands]
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await self._stack.aclose()

    async def wait_for_recovery(self, since: float) -> None:
        """Wait until every client has joined and has a message sent after `since`, with all before it."""
        while True:
            positions = [
                sent.ok["position"]
                for writer in self.clients[:WRITERS]
                for sent in reversed(writer.log.sent[-200:])
                if sent.sent_at >= since and sent.ok is not None
            ]
            if positions and all(client.has_reached(min(positions)) for client in self.clients):
                return
            await asyncio.sleep(POLL_SECONDS)

    def recoveries_since(self, moment: float) -> list[Recovery]:
        return [recovery for client in self.clients for recovery in client.log.recoveries if recovery.lost.at >= moment]

    def delays_since(self, moment: float) -> list[float]:
        """Seconds from the acknowledgement of each post since `moment` to its arrival at each client that has it."""
        posts = [
            sent
            for writer in self.clients[:WRITERS]
            for sent in writer.log.sent
            if sent.kind == "message.post" and sent.ok is not None and (sent.answered_at or 0.0) >= moment
        ]
        return [
            max(0.0, client.log.arrivals[sent.id] - (sent.answered_at or 0.0))
            for sent in posts
            for client in self.clients
            if sent.id in client.log.arrivals
        ]

    async def finish(self) -> Report:
        """Stop posting, wait for all answers and events, and compare the clients with the database."""
        for task in [*self._writing, *self._reading]:
            task.cancel()
        if self._commands:
            await asyncio.wait(self._commands, timeout=SETTLE_SECONDS)
        record = await asyncio.to_thread(read_record, f"sqlite:///{self._site.database}", self.room)
        with suppress(TimeoutError):  # The report names the clients that stay behind.
            async with asyncio.timeout(SETTLE_SECONDS):
                # All at one moment: an event may have arrived at the first while the last was waited for.
                while behind := [client for client in self.clients if not client.has_reached(record.position)]:
                    await behind[0].wait_for_position(record.position, SETTLE_SECONDS)
        report = check(record, [client.log for client in self.clients])
        report.breaches += await check_tabs(self._site.database, self.tabs, SETTLE_SECONDS)
        report.breaches += await check_lists(self._site.database, self.watchers, SETTLE_SECONDS)
        return report

    async def _open_tabs(self) -> None:
        for number in (1, 2):
            tab = PersonTab(
                f"{self.room}-tab-{number}",
                self.clients[0].hello["user"]["id"],
                self.room,
                lambda: [Address(self._site.url)],
                token=self._token,
                random=Random(self._random.random()),  # noqa: S311 - no secret
                keeps_frames=False,
                http=self._is_http,
            )
            self.tabs.append(await self._stack.enter_async_context(tab))
            await tab.wait_until_joined(JOIN_SECONDS)

    async def _open_watchers(self) -> None:
        for number in (1, 2):
            watcher = Watcher(
                f"{self.room}-list-{number}",
                "/ws/chat/",
                "rooms",
                ListView(),
                lambda: [Address(self._site.url)],
                token=self._token,
                random=Random(self._random.random()),  # noqa: S311 - no secret
                keeps_frames=False,
                http=self._is_http,
            )
            await self._stack.enter_async_context(watcher)
            await watcher.wait_until_joined(JOIN_SECONDS)
            self.watchers.append((self.clients[0].hello["user"]["id"], watcher))

    async def _write(self, writer: Recorder) -> None:
        while True:
            await asyncio.sleep(self._random.expovariate(COMMANDS_PER_SECOND))
            # Not awaited: people post again before the answer to their last post.
            task = asyncio.create_task(self._send_random(writer))
            self._commands.add(task)
            task.add_done_callback(self._commands.discard)

    async def _send_random(self, writer: Recorder) -> Sent:
        posts = [sent for sent in writer.log.sent if sent.kind == "message.post" and sent.ok is not None]
        chance = self._random.randrange(100)
        number = len(writer.log.sent)
        if posts and chance < EDIT_PERCENT + DELETE_PERCENT + REPEAT_PERCENT:
            old = self._random.choice(posts[-50:])
            if chance < EDIT_PERCENT:
                return await writer.edit(_seq_of(old), f"{writer.log.name} says {number}, edited")
            if chance < EDIT_PERCENT + DELETE_PERCENT:
                return await writer.delete(_seq_of(old))
            return await writer.post(old.body, old.id)
        return await writer.post(f"{writer.log.name} says {number} at {time.monotonic():.3f}")


def _seq_of(post: Sent) -> int:
    assert post.ok is not None
    seq: int = post.ok["seq"]
    return seq
