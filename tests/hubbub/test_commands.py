"""Commands of one socket in flight: accepted ones are answered before the socket ends."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from hubbub.consumers.commands import CommandQueue
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import Command, Ping


@dataclass
class FakeSocket:
    """Runs `do` for each command."""

    do: Callable[[Command], Awaitable[None]]
    concurrent: tuple[type[Command], ...] = (Command,)
    connection: str = "test:1"
    identity: Any = None
    outbox: Any = None

    def is_concurrent(self, command: Any) -> bool:
        return isinstance(command, self.concurrent)

    async def handle(self, command: Any) -> None:
        await self.do(command)


class Alone(Command, tag="alone"):
    pass


class Together(Command, tag="together"):
    pass


async def test_commands_behind_an_exclusive_command_are_awaited() -> None:
    answered: list[int] = []

    async def do(command: Command) -> None:
        # Those that may be together take longer than the one that has to be alone.
        await asyncio.sleep(0.01 if isinstance(command, Alone) else 0.05)
        assert isinstance(command.ref, int)
        answered.append(command.ref)

    work = CommandQueue(FakeSocket(do, (Together,)), 32)
    for command in (Together(ref=1), Alone(ref=2), Together(ref=3), Together(ref=4)):
        await work.put(command)
    await work.finish(5)
    assert answered == [1, 2, 3, 4]


async def test_a_late_answer_is_not_awaited() -> None:
    async def do(command: Command) -> None:
        await asyncio.Event().wait()

    work = CommandQueue(FakeSocket(do), 32)
    await work.put(Ping(ref=1))
    began = asyncio.get_running_loop().time()
    await work.finish(0.05)
    assert 0.04 < asyncio.get_running_loop().time() - began < 1
    await work.cancel()


async def test_at_the_bound_of_commands_in_flight_reading_pauses_and_is_counted() -> None:
    answers: asyncio.Queue[None] = asyncio.Queue()

    async def do(command: Command) -> None:
        await answers.get()

    work = CommandQueue(FakeSocket(do), 3)
    before = COUNTERS.limited["max_commands_in_flight"]
    for number in range(2):
        await work.put(Ping(ref=number))
    assert COUNTERS.limited["max_commands_in_flight"] == before
    third = asyncio.create_task(work.put(Ping(ref=2)))
    done, _ = await asyncio.wait([third], timeout=0.05)
    assert not done
    assert COUNTERS.limited["max_commands_in_flight"] == before + 1
    answers.put_nowait(None)
    async with asyncio.timeout(5):
        await third
    for _ in range(2):
        answers.put_nowait(None)
    await work.finish(5)


async def test_a_lone_command_is_one_task() -> None:
    released = asyncio.Event()

    async def do(command: Command) -> None:
        await released.wait()

    work = CommandQueue(FakeSocket(do, (Together,)), 32)
    before = len(asyncio.all_tasks())
    await work.put(Together(ref=1))
    assert len(asyncio.all_tasks()) - before == 1
    released.set()
    await work.finish(5)
