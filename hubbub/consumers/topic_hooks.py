"""Calls `on_join` and `on_leave` of the topics of one socket, in order, beside its commands."""

import asyncio
import logging
from collections import deque
from typing import Protocol

from hubbub.auth.identity import Identity
from hubbub.consumers.socket import FINISH_SECONDS
from hubbub.protocol import Refused
from hubbub.topics import calls, pools
from hubbub.topics.topic import Topic

logger = logging.getLogger(__name__)

# Calls that go on after their socket has gone; asyncio itself keeps no task alive.
_unfinished: "set[asyncio.Task[None]]" = set()


class HookSocket(Protocol):
    """The socket of the hooks; its user is the one of the calls."""

    identity: Identity


class TopicHooks:
    """Each `on_join` that is called is followed by one `on_leave`. There is a task only while calls wait.

    Args:
        socket: whose topics these are.
    """

    def __init__(self, socket: HookSocket) -> None:
        self._socket = socket
        # Joined, by address.
        self._topics: dict[str, Topic] = {}
        # (topic, name of the method). At most two of an address, so it is bounded by the topics of a socket.
        self._calls: deque[tuple[Topic, str]] = deque()
        self._task: asyncio.Task[None] | None = None

    def joined(self, topic: Topic) -> None:
        """The socket has joined the topic, perhaps once more."""
        self.left(topic.address)
        self._topics[topic.address] = topic
        self._put(topic, "on_join")

    def left(self, address: str) -> None:
        """The socket is not in the topic any more; nothing happens if it was not."""
        if (topic := self._topics.pop(address, None)) is None:
            return
        if (topic, "on_join") in self._calls:  # Not called yet.
            self._calls.remove((topic, "on_join"))
        else:
            self._put(topic, "on_leave")

    async def finish(self) -> None:
        """Leave all topics; wait for the calls, but not for ever: they go on."""
        for address in [*self._topics]:
            self.left(address)
        if self._task is not None:
            _unfinished.add(self._task)
            self._task.add_done_callback(_unfinished.discard)
            await asyncio.wait([self._task], timeout=FINISH_SECONDS)

    def _put(self, topic: Topic, name: str) -> None:
        self._calls.append((topic, name))
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._calls:
                await self._call(*self._calls.popleft())
        finally:
            self._task = None

    async def _call(self, topic: Topic, name: str) -> None:
        try:
            await pools.writers().run(topic.name, calls.run_hook, topic, name, self._socket.identity)
        except Refused:
            pass  # The threads have logged that the database is away.
        except Exception:
            logger.exception("topic %s: %s failed", topic.address, name)


def has_hooks(topic: Topic) -> bool:
    """Whether the topic defines `on_join` or `on_leave`."""
    cls = type(topic)
    return cls.on_join is not Topic.on_join or cls.on_leave is not Topic.on_leave
