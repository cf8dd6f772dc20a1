"""Calls `on_join` and `on_leave` of the topics of one socket, in order, beside its commands."""

import asyncio
import logging
import threading
from collections import deque
from contextlib import suppress
from typing import Protocol

from hubbub.auth.identity import Identity
from hubbub.consumers.socket import FINISH_SECONDS
from hubbub.protocol import Refused
from hubbub.topics import calls, pools
from hubbub.topics.topic import Topic

logger = logging.getLogger(__name__)

# A call that no thread takes is tried again; after this time since it was due, it is given up.
GIVE_UP_SECONDS = 60.0
MIN_RETRY_SECONDS = 0.5
MAX_RETRY_SECONDS = 8.0

# Calls that go on after their socket has gone; asyncio itself keeps no task alive.
_unfinished: "set[asyncio.Task[None]]" = set()


class HookSocket(Protocol):
    """The socket of the hooks; its user is the one of the calls."""

    identity: Identity


class HookCall:
    """A call of a hook, which is tried until a thread has called the method."""

    def __init__(self, topic: Topic, name: str) -> None:
        self.topic = topic
        self.name = name
        self.due_at = asyncio.get_running_loop().time()
        # The method was called; set in the thread.
        self.was_called = False
        # With the lock, so that a late thread does not run beside the next try.
        self._lock = threading.Lock()
        self._try = 0
        self.is_running = False
        self._ended = asyncio.Event()

    async def run(self, identity: Identity) -> None:
        """Run it in a thread. Raises as `Pool.run`, and what the hook raises."""
        loop = asyncio.get_running_loop()
        self._ended.clear()

        def run(number: int) -> None:
            with self._lock:
                if number != self._try:
                    return
                self.is_running = True
            try:
                calls.run_hook(self.topic, self.name, identity, self._note_call)
            finally:
                self.is_running = False
                loop.call_soon_threadsafe(self._ended.set)

        await pools.writers().run(self.topic.name, run, self._try)

    async def settle(self, deadline: float) -> None:
        """After a refusal: wait until `deadline`, in the loop's time, for a thread that runs it; no other begins."""
        with self._lock:
            self._try += 1
            is_running = self.is_running
        if is_running:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(deadline):
                    await self._ended.wait()

    def _note_call(self) -> None:
        self.was_called = True


class TopicHooks:
    """Each `on_join` that is called is followed by one `on_leave`. There is a task only while calls wait.

    Args:
        socket: whose topics these are.
    """

    def __init__(self, socket: HookSocket) -> None:
        self._socket = socket
        # Joined, by address.
        self._topics: dict[str, Topic] = {}
        # At most two of an address, so it is bounded by the topics of a socket.
        self._calls: deque[HookCall] = deque()
        # Topics whose `on_join` was called, and whose `on_leave` was not.
        self._entered: set[Topic] = set()
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
        for call in self._calls:
            if call.topic is topic:  # Its `on_join`, not called yet.
                self._calls.remove(call)
                return
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
        self._calls.append(HookCall(topic, name))
        if self._task is None:
            self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._calls:
                call = self._calls.popleft()
                if call.name == "on_join":
                    await self._call(call)
                    if call.was_called or call.is_running:
                        self._entered.add(call.topic)
                elif call.topic in self._entered:
                    self._entered.discard(call.topic)
                    await self._call(call)
        finally:
            self._task = None

    async def _call(self, call: HookCall) -> None:
        """Call the hook, and return when no thread runs it any more. Never raises."""
        loop = asyncio.get_running_loop()
        give_up_at = call.due_at + GIVE_UP_SECONDS
        wait = MIN_RETRY_SECONDS
        while True:
            try:
                await call.run(self._socket.identity)
                return
            except Refused as refused:
                problem = repr(refused)  # By the hook, or late: the thread may still run it.
            except Exception:
                logger.exception("topic %s: %s failed", call.topic.address, call.name)
                return
            await call.settle(max(give_up_at, loop.time() + MAX_RETRY_SECONDS))
            if call.was_called and not call.is_running:
                logger.warning("topic %s: %s was refused or late: %s", call.topic.address, call.name, problem)
                return
            if call.name == "on_join" and self._topics.get(call.topic.address) is not call.topic:
                return  # The socket has left meanwhile.
            if call.is_running or loop.time() >= give_up_at:
                logger.error("topic %s: %s did not end: %s", call.topic.address, call.name, problem)
                return
            await asyncio.sleep(wait)
            wait = min(2 * wait, MAX_RETRY_SECONDS)


def has_hooks(topic: Topic) -> bool:
    """Whether the topic defines `on_join` or `on_leave`."""
    cls = type(topic)
    return cls.on_join is not Topic.on_join or cls.on_leave is not Topic.on_leave
