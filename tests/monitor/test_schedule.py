import asyncio
import time

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from monitor.schedule import number_at, repeat, seconds_to_next


@pytest.mark.parametrize("work_seconds", [0.0, 0.3, 1.9])
def test_beats_do_not_drift_however_long_the_work_takes(work_seconds):
    now, numbers = 1_000_000_000.7, []
    for _ in range(1000):
        now += seconds_to_next(now, 2.0)
        assert now % 2.0 == pytest.approx(0, abs=1e-6)
        numbers.append(number_at(now, 2.0))
        now += work_seconds
    assert numbers == list(range(numbers[0], numbers[0] + 1000))


def test_work_longer_than_the_period_skips_beats_and_keeps_to_the_grid():
    now = 1_000_000_000.0 + 5.1
    assert now + seconds_to_next(now, 2.0) == pytest.approx(1_000_000_006.0)


def test_a_timer_that_fires_early_neither_repeats_nor_skips_a_beat():
    early = 1_000_000_002.0 - 0.003
    assert number_at(early, 2.0) == 500_000_001
    assert early + seconds_to_next(early, 2.0) == pytest.approx(1_000_000_004.0)


def test_the_phase_moves_every_beat():
    now = 1_000_000_000.0
    first = now + seconds_to_next(now, 2.0, phase=1.5)
    assert first == pytest.approx(999_999_999.5 + 2.0)
    assert first + seconds_to_next(first, 2.0, phase=1.5) == pytest.approx(1_000_000_003.5)


def test_the_wait_is_never_longer_than_one_period_and_never_nothing():
    for step in range(10_000):
        now = 1_700_000_000 + step * 0.00317
        assert 0 < seconds_to_next(now, 0.5, phase=0.375) <= 0.51


async def test_work_goes_on_after_redis_was_away_and_says_so_once(caplog):
    beats, done = [], asyncio.Event()

    async def work():
        beats.append(time.monotonic())
        if len(beats) in (2, 3):
            raise RedisConnectionError("refused")
        if len(beats) == 5:
            done.set()

    task = asyncio.create_task(repeat(work, period=0.02, name="tester"))
    caplog.set_level("INFO", logger="monitor")
    async with asyncio.timeout(10):
        await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [record.getMessage().split(":")[:2] for record in caplog.records] == [
        ["tester", " Redis unavailable, retrying"],
        ["tester", " Redis available again"],
    ]


async def test_a_bug_in_the_work_is_not_mistaken_for_redis():
    async def work():
        raise KeyError("bug")

    with pytest.raises(KeyError):
        async with asyncio.timeout(5):
            await repeat(work, period=0.02, name="tester")


@pytest.mark.parametrize("period", [0.5, 2.0, 60.0])
async def test_redis_away_for_1024_tries_and_more_the_work_goes_on(period, monkeypatch):
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    async def work():
        if len(waits) >= 3_000:
            raise KeyError("enough")
        raise RedisConnectionError("refused")

    monkeypatch.setattr("monitor.schedule.asyncio.sleep", sleep)
    with pytest.raises(KeyError):
        await repeat(work, period=period, name="tester")
    assert all(0 < wait <= max(period, 4.0) + 0.01 for wait in waits)
