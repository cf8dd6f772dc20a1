"""Hub: the topics and commands of a client, on one link."""

import asyncio
import itertools
from contextlib import AbstractAsyncContextManager, nullcontext, suppress
from random import Random
from typing import Any

from hubbub.client.connection import Apply, Join
from hubbub.client.errors import ConnectionLost, TopicClosed
from hubbub.client.feed import Feed
from hubbub.client.link import Link
from hubbub.client.observer import Frame, Observer
from hubbub.client.timing import CLOSE_SECONDS, MIN_RETRY_SECONDS, back_off
from hubbub.client.wire import OpenWire
from hubbub.protocol import ErrorCode, Refused

# The server reads nothing more of a socket with as many commands in flight.
MAX_IN_FLIGHT = 32
MAX_JOINING = 8

# The server did nothing, or says to send the same again.
REPEATED = (ErrorCode.RATE_LIMITED, ErrorCode.UNAVAILABLE)
# The topic may be joined later. `unauthorized`: the server is about to close the socket.
JOIN_REPEATED = (*REPEATED, ErrorCode.INTERNAL, ErrorCode.UNAUTHORIZED)


class Hub:
    """See `Client` for the arguments; `open_wire` opens a way to the server.

    Attributes:
        user, state: as those of `Client`.
        feeds: the open topics, by address.
        link: the connection.
    """

    def __init__(
        self,
        url: str,
        token: str,
        open_wire: OpenWire,
        observer: Observer,
        random: Random,
        *,
        buffer_bytes: int,
        refreshes: bool,
    ) -> None:
        self.user: Frame = {}
        self.state = ""
        self.feeds: dict[str, Feed] = {}
        self.link = Link(self, url, token, open_wire, observer, random)
        self._random = random
        self._buffer_bytes = buffer_bytes
        self._refreshes = refreshes
        self._tasks: set[asyncio.Task[None]] = set()
        self._in_flight = asyncio.Semaphore(MAX_IN_FLIGHT)
        self._joining = asyncio.Semaphore(MAX_JOINING)
        # Past the user's limit commands go one after another.
        self._lane = asyncio.Lock()

    def open(self, address: str, after: int | None, epoch: str | None) -> Feed:
        """Open a topic. Raises ValueError: it is open already."""
        self.link.check_open()
        if address in self.feeds:
            raise ValueError(f"{address} is open already")
        feed = self.feeds[address] = Feed(self, address, after, epoch, self._buffer_bytes)
        self._tasks.add(feed.task)
        feed.task.add_done_callback(self._tasks.discard)
        return feed

    async def close(self) -> None:
        """Close the connection and all topics."""
        await self.link.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    # For feeds

    async def call(self, command: Frame, repeats: bool) -> Any:
        """Send a command as `send` does. `repeats`: until it is answered. Returns its result."""
        is_limited = False
        async with self._in_flight:
            for tries in itertools.count():
                lane: AbstractAsyncContextManager[Any] = nullcontext()
                if is_limited or self._lane.locked():
                    lane = self._lane
                async with lane:
                    try:
                        return (await self.link.request(command)).get("result")
                    except ConnectionLost:
                        self.link.check_open()
                        if not repeats:
                            raise
                    except Refused as refused:
                        if not repeats or refused.code not in REPEATED:
                            raise
                        is_limited = refused.code == ErrorCode.RATE_LIMITED
                        await self._wait_after(refused, tries)

    async def join(self, feed: Feed, apply: Apply, tries: int) -> bool:
        """Join once. Waits for a connection, and after a refusal that is not for good.

        Args:
            feed: with the position that it has.
            apply: takes the answer.
            tries: refusals before.

        Returns:
            Whether the join was refused for now.

        Raises:
            TopicClosed: the topic is not open to this user.
        """
        async with self._joining:
            await self.link.admitted()
            try:
                await self.link.request(feed.join, apply)
            except ConnectionLost:
                pass
            except Refused as refused:
                if refused.retry_after_ms is None and refused.code not in JOIN_REPEATED:
                    raise TopicClosed(feed.address, refused.code, refused.detail) from None
                await self._wait_after(refused, tries)
                return True
        return False

    async def leave(self, address: str) -> None:
        """Leave a topic, if there is a connection. Waits a second at most."""
        if self.link.connection is not None:
            with suppress(ConnectionLost, Refused, TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.link.request({"type": "leave", "topic": address})

    def forget(self, feed: Feed) -> None:
        """The feed has ended, and its address may be opened again."""
        if self.feeds.get(feed.address) is feed:
            del self.feeds[feed.address]

    async def _wait_after(self, refused: Refused, tries: int) -> None:
        seconds = max((refused.retry_after_ms or 0) / 1000, MIN_RETRY_SECONDS)
        await asyncio.sleep(seconds + back_off(tries, self._random))

    # For the link

    def due_joins(self) -> list[Join]:
        """The joins that are due, which opening a connection may send."""
        return [(feed.join, feed.apply) for feed in self.feeds.values() if feed.is_join_due]

    def admitted(self, hello: Frame) -> None:
        """A connection is open, first or again."""
        self.user, self.state = hello.get("user", {}), hello.get("state", "")

    def receive(self, frame: Frame, size: int) -> None:
        """Take a frame that is no answer. Unknown ones are ignored."""
        if isinstance(address := frame.get("topic"), str):
            if (feed := self.feeds.get(address)) is not None:
                feed.receive(frame, size)
        elif frame["type"] == "person.changed":
            if frame["user"]["id"] == self.user.get("id"):
                self.user = frame["user"]
            for feed in self.feeds.values():
                feed.rename(frame["user"])
        elif frame["type"] == "service.changed":
            self.state = frame["state"]
            if self.state == "ok" and self._refreshes:
                for feed in self.feeds.values():
                    feed.refresh()

    def disconnected(self) -> None:
        """The connection was lost."""
        for feed in self.feeds.values():
            feed.disconnected()

    def ended(self, error: Exception) -> None:
        """There will be no connection any more."""
        for feed in [*self.feeds.values()]:
            feed.end(None if isinstance(error, ConnectionLost) else error)
