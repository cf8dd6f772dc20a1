"""The commands in flight of a socket with topics: those of one topic in the order sent, one after another.

A slow topic delays no other. Past its bound a topic refuses commands until those in flight are answered, so that a
client that sends again in order keeps its order.
"""

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from hubbub.consumers.commands import CommandSocket, answer_command
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Refused, error_text

MAX_IN_TOPIC = 8
RETRY_AFTER_MS = 1000


@dataclass(slots=True, eq=False)
class TopicQueue:
    """The commands of one topic: (command, time of its receipt). Exists while there are any."""

    commands: deque[tuple[Any, float]] = field(default_factory=deque)
    task: "asyncio.Task[None] | None" = None
    in_flight: int = 0
    # A command was refused: all later ones are, until this queue is empty.
    is_refusing: bool = False


class TopicCommands:
    """As `CommandQueue`, with a queue for each topic.

    Args:
        socket: handles the commands; its outbox gets the answers.
        max_in_flight: commands of all topics that may be in flight.
    """

    __slots__ = ("_has_room", "_in_flight", "_max_in_flight", "_queues", "_socket")

    def __init__(self, socket: CommandSocket, max_in_flight: int) -> None:
        self._socket = socket
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._queues: dict[str, TopicQueue] = {}
        self._has_room: asyncio.Event | None = None

    async def put(self, command: Any) -> None:
        """Start the command. Waits while `max_in_flight` are in flight, so the socket is not read."""
        topic: str = command.topic
        queue = self._queues.setdefault(topic, TopicQueue())
        if queue.is_refusing or queue.in_flight >= MAX_IN_TOPIC:
            queue.is_refusing = True
            COUNTERS.limited["max_commands_in_topic"] += 1
            refused = Refused(
                ErrorCode.RATE_LIMITED,
                f"more than {MAX_IN_TOPIC} commands of {topic} are in flight",
                retry_after_ms=RETRY_AFTER_MS,
            )
            self._socket.outbox.put(error_text(command.ref, refused))
            return
        queue.in_flight += 1
        self._in_flight += 1
        queue.commands.append((command, asyncio.get_running_loop().time()))
        if queue.task is None:
            queue.task = asyncio.create_task(self._run_all(topic, queue))
        if self._in_flight >= self._max_in_flight:
            COUNTERS.limited["max_commands_in_flight"] += 1
        while self._in_flight >= self._max_in_flight:
            self._has_room = asyncio.Event()
            await self._has_room.wait()

    async def finish(self, seconds: float) -> None:
        """Wait until every command is answered, at most `seconds`."""
        if tasks := self._tasks():
            await asyncio.wait(tasks, timeout=seconds)

    async def cancel(self) -> None:
        """End the commands in flight, unanswered."""
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> list["asyncio.Task[None]"]:
        return [queue.task for queue in self._queues.values() if queue.task is not None]

    async def _run_all(self, topic: str, queue: TopicQueue) -> None:
        try:
            while queue.commands:
                await self._run(*queue.commands.popleft())
                queue.in_flight -= 1
        finally:
            if self._queues.get(topic) is queue:
                del self._queues[topic]

    async def _run(self, command: Any, received_at: float) -> None:
        try:
            await answer_command(self._socket, command, command_name(command), received_at)
        finally:
            self._in_flight -= 1
            if self._has_room is not None:
                self._has_room.set()
                self._has_room = None


def command_name(command: Any) -> str:
    """The name of a command in the log."""
    spec = getattr(command, "spec", None)
    return type(command).__name__ if spec is None else f"{command.topic.partition('/')[0]}.{spec.name}"
