"""The commands in flight of one socket: started in the order sent, bounded in number and time.

An idle socket has no task: the worker lives only while there are commands.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from django.db import Error as DatabaseError

from hubbub import threads
from hubbub.auth.identity import Identity
from hubbub.delivery.outbox import Outbox
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import Command, ErrorCode, Ok, Refused, answer_text, error_text
from hubbub.runtime import runtime

logger = logging.getLogger(__name__)


@functools.cache
def _deadline_log(name: str) -> LogOnce:
    """One per command type: a slow type must not hide another."""
    return LogOnce(f"command {name}: deadline exceeded")


class CommandSocket(Protocol):
    """The socket of a `CommandQueue`; `Consumer` describes the methods."""

    connection: str
    identity: Identity
    outbox: Outbox

    def is_concurrent(self, command: Any) -> bool: ...

    async def handle(self, command: Any) -> Ok | None: ...


class AnyCommandQueue(Protocol):
    """The commands in flight of one socket."""

    async def put(self, command: Any) -> None:
        """Start the command. Waits while too many are in flight, so the socket is not read."""

    async def finish(self, seconds: float) -> None:
        """Wait until every command is answered, at most `seconds`."""

    async def cancel(self) -> None:
        """End the commands in flight, unanswered."""


class CommandQueue:
    """Runs and answers the commands of one socket.

    Args:
        socket: handles the commands; its outbox gets the answers.
        max_in_flight: commands that may be in flight.
    """

    __slots__ = ("_commands", "_concurrent", "_has_room", "_in_flight", "_max_in_flight", "_socket", "_worker")

    def __init__(self, socket: CommandSocket, max_in_flight: int) -> None:
        self._socket = socket
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._commands: deque[tuple[Command, float]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._concurrent: set[asyncio.Task[None]] = set()
        self._has_room: asyncio.Event | None = None

    async def put(self, command: Command) -> None:
        """Start the command. Waits while `max_in_flight` are in flight, so the socket is not read."""
        received_at = asyncio.get_running_loop().time()
        self._in_flight += 1
        if self._commands is None and self._socket.is_concurrent(command):
            self._start(command, received_at)  # Nothing is queued before it: no worker needed.
        else:
            if self._commands is None:
                self._commands = deque()
                self._worker = asyncio.create_task(self._run_all(self._commands))
            self._commands.append((command, received_at))
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

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._concurrent, *([self._worker] if self._worker else [])]

    async def _run_all(self, commands: deque[tuple[Command, float]]) -> None:
        while commands:
            command, received_at = commands.popleft()
            if self._socket.is_concurrent(command):
                self._start(command, received_at)
            else:
                if self._concurrent:
                    await asyncio.wait(self._concurrent)
                await self._run(command, received_at)
        self._commands = self._worker = None

    def _start(self, command: Command, received_at: float) -> None:
        task = asyncio.create_task(self._run(command, received_at))
        self._concurrent.add(task)
        task.add_done_callback(self._concurrent.discard)

    async def _run(self, command: Command, received_at: float) -> None:
        try:
            await answer_command(self._socket, command, type(command).__name__, received_at)
        finally:
            self._in_flight -= 1
            if self._has_room is not None:
                self._has_room.set()
                self._has_room = None


async def answer_command(socket: CommandSocket, command: Any, name: str, received_at: float) -> None:
    """Let the socket handle a command, and send it the answer. Never raises.

    Args:
        socket: handles the command; its outbox gets the answer.
        command: with a `ref`.
        name: of the command, in the log.
        received_at: in the loop's time; the command has ANSWER_SECONDS from then.
    """

    async def run() -> None:
        if (answer := await socket.handle(command)) is not None:
            socket.outbox.put(answer_text(command.ref, answer))

    refused = await run_with_deadline(run, name, received_at + threads.ANSWER_SECONDS, socket.connection)
    if refused is not None:
        socket.outbox.put(error_text(command.ref, refused))
        if refused.code == ErrorCode.UNAUTHORIZED:
            runtime().revocation.sockets.recheck.request([socket.identity.user_id])


async def run_with_deadline(
    run: Callable[[], Awaitable[None]], name: str, deadline: float, connection: str
) -> Refused | None:
    """Run a command until its deadline. Never raises.

    Args:
        run: the command.
        name: its name in the log.
        deadline: in the loop's time.
        connection: the socket's name in the log.

    Returns:
        The error to answer with, if any.
    """
    if asyncio.get_running_loop().time() >= deadline:
        return _refused_as_late(name, connection)
    timeout = asyncio.timeout_at(deadline)
    try:
        async with timeout:
            await run()
        return None
    except Refused as refused:
        return refused
    except DatabaseError as error:
        logger.warning("command %s: database error on %s: %r", name, connection, error)
        return threads.refused_unavailable()
    except Exception:
        if timeout.expired():
            return _refused_as_late(name, connection)
        logger.exception("command %s: failed on %s", name, connection)
        return Refused(ErrorCode.INTERNAL, "internal error; the server has logged it")


def _refused_as_late(name: str, connection: str) -> Refused:
    _deadline_log(name).failed(connection)
    return threads.refused_unavailable()
