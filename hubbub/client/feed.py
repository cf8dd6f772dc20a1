"""Feed: one topic of a client. Joins it, resumes after a lost connection, and keeps its events until they are read."""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, Protocol

import msgspec

from hubbub.client.errors import TopicClosed
from hubbub.client.observer import Frame
from hubbub.client.presence import Present, present_after, present_at_join, present_renamed

EVENT_BYTES = 512  # Counted for each waiting event beside its text: the objects that it becomes.


class Joined(msgspec.Struct):
    """The answer to a join. See docs/protocol.md."""

    epoch: str
    position: int
    complete: bool
    events: list[Frame] = []
    state: Any = None
    partial: bool = False
    present: Frame | None = None
    viewer: Any = None


class Host(Protocol):
    """What a feed needs."""

    async def call(self, command: Frame, repeats: bool) -> Any:
        """Send a command and return its result."""

    async def join(self, feed: "Feed", apply: Callable[[Frame, int], None], tries: int) -> bool:
        """Join once, and return whether it was refused for now. Waits for a connection, and after a refusal."""

    async def leave(self, address: str) -> None:
        """Leave the topic, if there is a connection."""

    def forget(self, feed: "Feed") -> None:
        """The feed has ended, and its address may be opened again."""


class Feed:
    """An open topic. See `Subscription` for its public names.

    Args:
        hub: sends commands and joins.
        address: of the topic.
        after: the position to resume from.
        epoch: of `after`.
        buffer_bytes: of events that wait to be read.
    """

    def __init__(self, hub: Host, address: str, after: int | None, epoch: str | None, buffer_bytes: int) -> None:
        self.address = address
        self.state: Any = None
        self.viewer: Any = None
        self.present: Present | None = None
        self._hub = hub
        self._buffer_bytes = buffer_bytes
        self._epoch = epoch
        self._received = after or 0
        self._consumed = (self._received, epoch)
        self._waiting: deque[tuple[Frame, int, str | None]] = deque()
        self._size = 0
        self._is_live = False
        self._is_joining = False
        self._must_refresh = False
        self._error: Exception | None = None
        self._is_ended = False
        # Set: a join is due, and its answer has room.
        self._is_join_due = asyncio.Event()
        self._is_join_due.set()
        self._was_joined = asyncio.Event()
        self._has_arrived = asyncio.Event()
        self.task: asyncio.Task[None] = asyncio.create_task(self._stay_joined())

    # For its subscription

    async def next(self) -> Frame | None:
        """Wait for the next event. None: the feed has ended. Raises the error that it ended with."""
        while not self._waiting:
            if self._is_ended:
                if self._error is not None:
                    raise self._error
                return None
            self._has_arrived.clear()
            await self._has_arrived.wait()
        event, size, epoch = self._waiting.popleft()
        self._size -= size
        if (position := event.get("position")) is not None:
            self._consumed = (position, epoch)
        self._update()
        return event

    @property
    def reached(self) -> tuple[int, str | None]:
        """The position and the epoch of all that was read."""
        return self._consumed if self._waiting else (self._received, self._epoch)

    @property
    def is_live(self) -> bool:
        """Whether events arrive at this moment."""
        return self._is_live

    async def joined(self) -> None:
        """Wait until the topic was joined for the first time. Raises the error that the feed ended with."""
        await self._was_joined.wait()
        if self._error is not None:
            raise self._error

    async def send(self, command: Frame, repeats: bool) -> Any:
        """Send a command of the topic. See `Host.call`."""
        return await self._hub.call({**command, "topic": self.address}, repeats)

    async def close(self) -> None:
        """Leave the topic, and end."""
        is_open = not self._is_ended
        self.end(None)
        try:
            await asyncio.wait([self.task])
            if is_open:
                await self._hub.leave(self.address)
        finally:
            self._hub.forget(self)

    # For the hub

    @property
    def join(self) -> Frame:
        """The command that joins it; with a known position only changes are sent."""
        known = {} if self._epoch is None else {"after": self._received, "epoch": self._epoch}
        return {"type": "join", "topic": self.address, **known}

    @property
    def is_join_due(self) -> bool:
        """Whether it is to be joined, and there is room for the answer."""
        return self._is_join_due.is_set() and not self._is_ended

    def apply(self, answer: Frame, size: int) -> None:
        """Take the answer to a join: when it is read, so before the events that follow it."""
        if self._is_ended:
            return
        joined = msgspec.convert(answer, Joined)
        # Here, since the frames that follow are read before the task goes on.
        self._is_joining = self._must_refresh = False
        self._is_live = not joined.partial
        if joined.complete:
            share = size // max(1, len(joined.events))
            for event in joined.events:
                self._take(event, share)
            # Changes at the end have no event where a later one replaced them.
            self._received = max(self._received, joined.position)
        else:
            self._replace(answer, size)
        if not joined.partial:  # That one names no users: those who were known stay.
            self.present = present_at_join(joined.present)
            self.viewer = joined.viewer
            self._was_joined.set()
        self._update()

    def receive(self, frame: Frame, size: int) -> None:
        """Take an event of the topic, of `size` bytes."""
        match frame["type"]:
            case "closed":
                closed = TopicClosed(self.address, frame["code"])
                self._is_live = False
                # During a join it is of the membership before, and the answer decides.
                if not self._is_joining:
                    self.end(closed)
                return
            case "presence.changed":
                self.present = present_after(self.present, frame)
            case "changed" if "epoch" in frame:
                self._change(frame, size)
                return
        if self._is_live:
            self._take(frame, size)
            self._check_room()

    def rename(self, person: Frame) -> None:
        """A user has a new name."""
        self.present = present_renamed(self.present, person)

    def disconnected(self) -> None:
        """The connection was lost: join again on the next one."""
        self._is_live = self._must_refresh = False
        self._update()

    def refresh(self) -> None:
        """Join again: what has no position may have been missed."""
        self._must_refresh = True
        self._update()

    def end(self, error: Exception | None) -> None:
        """End the feed; `next` raises `error` after the events that have arrived."""
        if self._is_ended:
            return
        self._is_ended, self._error = True, error
        self._is_live = False
        self.task.cancel()
        self._was_joined.set()
        self._has_arrived.set()
        if error is not None:
            self._hub.forget(self)

    # Joins

    async def _stay_joined(self) -> None:
        """Join whenever it is due."""
        tries = 0
        while True:
            await self._is_join_due.wait()
            self._is_joining = True
            try:
                tries = tries + 1 if await self._hub.join(self, self.apply, tries) else 0
            except TopicClosed as closed:
                self.end(closed)
                return
            finally:
                self._is_joining = False

    def _update(self) -> None:
        """Decide whether a join is due: not before half of the buffer is free, since its answer needs room."""
        if (not self._is_live or self._must_refresh) and self._size <= self._buffer_bytes // 2:
            self._is_join_due.set()
        else:
            self._is_join_due.clear()

    # Events

    def _change(self, frame: Frame, size: int) -> None:
        """Take the new state of a topic of kind `state`."""
        if self._is_live and (frame["epoch"] != self._epoch or frame["position"] > self._received):
            self._replace(frame, size)

    def _replace(self, frame: Frame, size: int) -> None:
        """Take a state for everything known. One that waits unread right before it is left out."""
        self._epoch, self._received, self.state = frame["epoch"], frame["position"], frame["state"]
        if self._waiting and self._waiting[-1][0]["type"] == "state" and "epoch" in self._waiting[-1][0]:
            self._size -= self._waiting.pop()[1]
        names = ("topic", "epoch", "position", "state")
        self._put({"type": "state", **{name: frame[name] for name in names}}, size)

    def _take(self, event: Frame, size: int) -> None:
        position = event.get("position")
        if position is not None:
            if position <= self._received:
                return  # Another answer had it before.
            self._received = position
        self._put(event, size)

    def _put(self, event: Frame, size: int) -> None:
        size += EVENT_BYTES
        self._waiting.append((event, size, self._epoch))
        self._size += size
        self._has_arrived.set()

    def _check_room(self) -> None:
        """Take nothing more into a full buffer. What is left out comes with the join that follows when it has room."""
        if self._size > self._buffer_bytes:
            self._is_live = False
            self._update()
