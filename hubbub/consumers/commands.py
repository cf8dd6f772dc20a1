"""The commands of one socket that are in work: begun in the order sent, and bounded.

An idle socket has no task for them: that lives for as long as there are commands.
"""

import asyncio
import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable

from django.db import Error as DatabaseError

from hubbub import threads
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import Command, ErrorCode, Refused

logger = logging.getLogger(__name__)


@functools.cache
def _late(name: str) -> LogOnce:
    """One per command type: a slow type must not hide another."""
    return LogOnce(f"command {name}: deadline exceeded")


class CommandQueue:
    """`do` answers a command, given the loop's time when it was taken, and never raises.

    Those of which `is_concurrent` is true may be in work together.
    """

    __slots__ = ("_answered", "_commands", "_concurrent", "_count", "_do", "_is_concurrent", "_most", "_worker")

    def __init__(
        self, do: Callable[[Command, float], Awaitable[None]], is_concurrent: Callable[[Command], bool], most: int
    ) -> None:
        self._do = do
        self._is_concurrent = is_concurrent
        self._most = most
        self._count = 0
        self._commands: deque[tuple[Command, float]] | None = None
        self._worker: asyncio.Task[None] | None = None
        self._concurrent: set[asyncio.Task[None]] = set()
        self._answered: asyncio.Event | None = None

    async def take(self, command: Command) -> None:
        """Put the command to work. Waits, so that nothing more is read, while `most` are."""
        if self._commands is None:
            self._commands = deque()
            self._worker = asyncio.create_task(self._work(self._commands))
        self._commands.append((command, asyncio.get_running_loop().time()))
        self._count += 1
        if self._count >= self._most:
            COUNTERS.limited["max_commands_in_flight"] += 1
        while self._count >= self._most:
            self._answered = asyncio.Event()
            await self._answered.wait()

    async def finish(self, seconds: float) -> None:
        """Wait until all that was taken is answered, at most `seconds`."""
        loop = asyncio.get_running_loop()
        by = loop.time() + seconds
        # Again and again: what waits behind a command that has to be alone gets its task only later.
        while (running := [task for task in self._tasks() if not task.done()]) and loop.time() < by:
            await asyncio.wait(running, timeout=by - loop.time())

    async def cancel(self) -> None:
        """End what is still in work, unanswered."""
        tasks = self._tasks()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [*self._concurrent, *([self._worker] if self._worker else [])]

    async def _work(self, commands: deque[tuple[Command, float]]) -> None:
        while commands:
            command, taken_at = commands.popleft()
            if self._is_concurrent(command):
                task = asyncio.create_task(self._answer(command, taken_at))
                self._concurrent.add(task)
                task.add_done_callback(self._concurrent.discard)
            else:
                if self._concurrent:
                    await asyncio.wait(self._concurrent)
                await self._answer(command, taken_at)
        self._commands = self._worker = None

    async def _answer(self, command: Command, taken_at: float) -> None:
        try:
            await self._do(command, taken_at)
        finally:
            self._count -= 1
            if self._answered is not None:
                self._answered.set()
                self._answered = None


async def run_with_deadline(do: Callable[[], Awaitable[None]], name: str, by: float, connection: str) -> Refused | None:
    """Have `do` done by then, in the loop's time; or why it is refused. Never raises. `name`: what the log calls it."""
    if asyncio.get_running_loop().time() >= by:
        return _refused_as_late(name, connection)
    in_time = asyncio.timeout_at(by)
    try:
        async with in_time:
            await do()
        return None
    except Refused as refused:
        return refused
    except DatabaseError as error:
        logger.warning("command %s: database error on %s: %r", name, connection, error)
        return threads.refused_unavailable()
    except Exception:
        if in_time.expired():
            return _refused_as_late(name, connection)
        logger.exception("command %s: failed on %s", name, connection)
        return Refused(ErrorCode.INTERNAL, "internal error; the server has logged it")


def _refused_as_late(name: str, connection: str) -> Refused:
    _late(name).failed(connection)
    return threads.refused_unavailable()
