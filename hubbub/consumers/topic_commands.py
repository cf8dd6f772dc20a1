"""The commands in flight of a socket with topics: those of one topic in the order sent, one after another.

Commands with a batch run at the same time; their order is that of the calls in the batch.

A slow topic delays no other. Past its bound a topic refuses commands until those in flight are answered, so that a
client that sends again in order keeps its order.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any, Protocol

from hubbub.consumers.commands import CommandSocket, answer_command
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Refused, error_text

MAX_IN_TOPIC = 8
RETRY_AFTER_MS = 1000


class TopicSocket(CommandSocket, Protocol):
    """The socket of `TopicCommands`."""

    def has_batches(self, topic: str) -> bool:
        """Whether the topic has a command with a batch."""


@dataclass(slots=True, eq=False)
class TopicQueue:
    """The commands of one topic that are in flight. Exists while there are any.

    Attributes:
        commands: those that wait for their turn: (command, time of its receipt).
        worker: runs them one after another; None: none waits.
        batched: those that share transactions, and run at the same time.
        is_refusing: a command was refused: all later ones are, until none is in flight.
    """

    commands: deque[tuple[Any, float]] = field(default_factory=deque)
    worker: "asyncio.Task[None] | None" = None
    batched: "set[asyncio.Task[None]]" = field(default_factory=set)
    in_flight: int = 0
    is_refusing: bool = False


class TopicCommands:
    """As `CommandQueue`, with a queue for each topic.

    Args:
        socket: handles the commands; its outbox gets the answers.
        max_in_flight: commands of all topics that may be in flight.
    """

    __slots__ = ("_has_room", "_in_flight", "_max_in_flight", "_queues", "_socket")

    def __init__(self, socket: TopicSocket, max_in_flight: int) -> None:
        self._socket = socket
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._queues: dict[str, TopicQueue] = {}
        self._has_room: asyncio.Event | None = None

    async def put(self, command: Any) -> None:
        """Start the command. Waits while `max_in_flight` are in flight, so the socket is not read."""
        topic: str = command.topic
        queue = self._queues.setdefault(topic, TopicQueue())
        # Posts share transactions: a client that sends many at once is served better than refused.
        bound = self._max_in_flight if self._socket.has_batches(topic) else MAX_IN_TOPIC
        if queue.is_refusing or queue.in_flight >= bound:
            queue.is_refusing = True
            COUNTERS.limited["max_commands_in_topic"] += 1
            detail = f"more than {bound} commands of {topic} are in flight"
            refused = Refused(ErrorCode.RATE_LIMITED, detail, retry_after_ms=RETRY_AFTER_MS)
            self._socket.outbox.put(error_text(command.ref, refused))
            return
        queue.in_flight += 1
        self._in_flight += 1
        received_at = asyncio.get_running_loop().time()
        if queue.worker is None and is_batched(command):
            self._start(topic, queue, command, received_at)  # Nothing waits before it: no worker needed.
        else:
            queue.commands.append((command, received_at))
            if queue.worker is None:
                queue.worker = asyncio.create_task(self._run_all(topic, queue))
        if self._in_flight >= self._max_in_flight:
            COUNTERS.limited["max_commands_in_flight"] += 1
        while self._in_flight >= self._max_in_flight:
            self._has_room = asyncio.Event()
            await self._has_room.wait()

    async def finish(self, seconds: float) -> None:
        """Wait until every command is answered, at most `seconds`."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        # Repeated: a command behind one that runs alone gets its task only later.
        while (running := [task for task in self._tasks() if not task.done()]) and loop.time() < deadline:
            await asyncio.wait(running, timeout=deadline - loop.time())

    async def cancel(self) -> None:
        """End the commands in flight, unanswered."""
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> list["asyncio.Task[None]"]:
        workers = [queue.worker for queue in self._queues.values() if queue.worker is not None]
        return [*workers, *(task for queue in self._queues.values() for task in queue.batched)]

    async def _run_all(self, topic: str, queue: TopicQueue) -> None:
        while queue.commands:
            command, received_at = queue.commands.popleft()
            if is_batched(command):
                self._start(topic, queue, command, received_at)
            else:
                if queue.batched:
                    await asyncio.wait(queue.batched)
                await self._run(topic, queue, command, received_at)
        queue.worker = None

    def _start(self, topic: str, queue: TopicQueue, command: Any, received_at: float) -> None:
        task = asyncio.create_task(self._run(topic, queue, command, received_at))
        queue.batched.add(task)
        task.add_done_callback(queue.batched.discard)

    async def _run(self, topic: str, queue: TopicQueue, command: Any, received_at: float) -> None:
        try:
            await answer_command(self._socket, command, command_name(command), received_at)
        finally:
            queue.in_flight -= 1
            self._in_flight -= 1
            if not queue.in_flight and self._queues.get(topic) is queue:
                del self._queues[topic]
            if self._has_room is not None:
                self._has_room.set()
                self._has_room = None


def is_batched(command: Any) -> bool:
    """Whether the command shares transactions with others of its kind."""
    spec = getattr(command, "spec", None)
    return spec is not None and bool(spec.batch)


def command_name(command: Any) -> str:
    """The name of a command in the log."""
    spec = getattr(command, "spec", None)
    return type(command).__name__ if spec is None else f"{command.topic.partition('/')[0]}.{spec.name}"
