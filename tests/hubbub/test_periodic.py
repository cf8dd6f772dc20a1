"""hubbub/process/periodic.py: rounds at an interval, rounds on demand, and errors that end none of it."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from hubbub.process.log_once import LogOnce
from hubbub.process.periodic import Periodic
from tests.support.hubs import until

LONG = 60.0
SHORT = 0.02


class Rounds:
    """Counts rounds; `error` is raised in each of them."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.error: Exception | None = None

    async def __call__(self) -> None:
        self.times.append(asyncio.get_running_loop().time())
        if self.error is not None:
            raise self.error

    def reached(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.times) >= count


@pytest.fixture
def rounds() -> Rounds:
    return Rounds()


@contextmanager
def running(rounds: Any, seconds: Any = LONG, **options: Any) -> Iterator[Periodic]:
    periodic = Periodic(rounds, seconds=seconds, log=LogOnce("test: round failed"), **options)
    task = asyncio.create_task(periodic.run())
    yield periodic
    assert not task.done()
    task.cancel()


async def test_rounds_run_at_once_and_then_at_the_interval(rounds: Rounds) -> None:
    with running(rounds, SHORT):
        await until(rounds.reached(4))
    assert rounds.times[3] - rounds.times[0] >= 2.9 * SHORT


async def test_the_interval_may_change_between_rounds(rounds: Rounds) -> None:
    intervals = iter([SHORT, SHORT, LONG])
    with running(rounds, lambda: next(intervals)):
        await until(rounds.reached(3))
        await asyncio.sleep(3 * SHORT)
    assert len(rounds.times) == 3


async def test_wake_runs_one_round_now(rounds: Rounds) -> None:
    with running(rounds) as periodic:
        await until(rounds.reached(1))
        periodic.wake()
        periodic.wake()
        await until(rounds.reached(2))
        await asyncio.sleep(SHORT)
    assert len(rounds.times) == 2


async def test_wake_during_a_round_causes_another() -> None:
    began, go_on = asyncio.Semaphore(0), asyncio.Event()

    async def slow() -> None:
        began.release()
        await go_on.wait()

    with running(slow) as periodic:
        await began.acquire()
        periodic.wake()
        go_on.set()
        async with asyncio.timeout(5):
            await began.acquire()


async def test_a_pause_bounds_the_rate_of_wakes(rounds: Rounds) -> None:
    with running(rounds, pause_seconds=SHORT) as periodic:
        while len(rounds.times) < 4:
            periodic.wake()
            await asyncio.sleep(0)
    assert min(after - before for before, after in zip(rounds.times, rounds.times[1:], strict=False)) >= 0.9 * SHORT


async def test_an_outage_is_one_line_and_its_end_another(rounds: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    rounds.error = ConnectionRefusedError(111, "no")
    with running(rounds, 0.001):
        await until(rounds.reached(5))
        rounds.error = None
        await until(rounds.reached(len(rounds.times) + 2))
    first, last = caplog.records
    assert first.getMessage() == "test: round failed: connection refused: nothing listens there"
    assert not first.exc_info
    assert last.getMessage().startswith("test: round failed: recovered after")


async def test_a_bug_is_logged_with_its_traceback(rounds: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    rounds.error = KeyError("a bug")
    with running(rounds, 0.001):
        await until(rounds.reached(3))
    [line] = caplog.records
    assert line.exc_info
    assert "a bug" in line.getMessage()


async def test_a_quiet_error_is_not_logged(rounds: Rounds, caplog: pytest.LogCaptureFixture) -> None:
    rounds.error = ValueError("logged elsewhere")
    with running(rounds, 0.001, quiet=(ValueError,)):
        await until(rounds.reached(3))
    assert caplog.records == []
