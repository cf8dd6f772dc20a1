"""Processes exchange the usage of their users over a real Redis: delivery, expiry, losses."""

import os
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
from redis.exceptions import RedisError

from hubbub import site
from hubbub.conf import Hubbub
from hubbub.limits.quotas import Quotas
from hubbub.limits.usage_sync import KEY, SILENT_SECONDS, TIMEOUT_SECONDS, Exchange
from hubbub.process.redis_client import connect
from hubbub.site.lease import on_connect
from tests.support.clock import Clock
from tests.support.quotas import ALICE, BOB, posted


class Process:
    """A quotas with its exchange; all have the same clock."""

    def __init__(self, clock: Clock, url: str | None = None) -> None:
        self.redis: Any = connect(url or os.environ["REDIS_URL"], seconds=TIMEOUT_SECONDS, on_connect=on_connect)
        self.quotas = Quotas(Hubbub(), clock)
        self.exchange = Exchange(self.redis, self.quotas, clock)

    def slot(self, user_id: str, times: int) -> int:
        return [self.quotas.take_user_slot(user_id, None, "web-1:1") for _ in range(times)].count(user_id)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def processes(clock: Clock) -> AsyncIterator[list[Process]]:
    processes = [Process(clock) for _ in range(3)]
    await processes[0].redis.delete(site.key(KEY))
    await rounds(processes, 2)  # They come to know each other.
    yield processes
    for process in processes:
        await process.redis.aclose()


async def rounds(processes: list[Process], count: int = 1) -> None:
    for _ in range(count):
        for process in processes:
            await process.exchange.round()


async def test_usage_on_another_process_counts_here(processes: list[Process]) -> None:
    here, other, third = processes
    assert posted(here.quotas, ALICE, 20) == 20
    await rounds(processes, 2)
    assert posted(other.quotas, ALICE, 100) == 10
    assert posted(other.quotas, BOB, 100) == 30
    await rounds(processes, 2)
    assert posted(third.quotas, ALICE, 100) == 0


async def test_a_users_sockets_are_counted_over_all_processes(processes: list[Process]) -> None:
    here, other, _ = processes
    assert here.slot(ALICE, 30) == 30
    await rounds(processes, 2)
    assert other.slot(ALICE, 100) == 20
    assert other.slot(BOB, 50) == 50
    for _ in range(30):
        here.quotas.leave(ALICE)
    await rounds(processes, 2)
    assert other.slot(ALICE, 100) == 30


async def test_a_process_that_died_is_soon_forgotten(processes: list[Process], clock: Clock) -> None:
    dead, *living = processes
    dead.slot(ALICE, 50)
    await rounds(processes, 2)
    assert living[0].slot(ALICE, 1) == 0
    clock.now += SILENT_SECONDS / 2
    await rounds(living)
    clock.now += SILENT_SECONDS
    await rounds(living, 2)
    assert living[0].slot(ALICE, 1) == 1
    assert await living[0].redis.hlen(site.key(KEY)) == len(living)


async def test_remains_of_a_dead_process_mean_nothing_to_a_new_one(processes: list[Process], clock: Clock) -> None:
    posted(processes[0].quotas, ALICE, 30)
    processes[0].slot(ALICE, 50)
    await rounds(processes[:1])
    new = Process(clock)
    await rounds([new], 3)
    assert posted(new.quotas, ALICE, 30) == 30
    assert new.slot(ALICE, 1) == 1
    await new.redis.aclose()


async def test_redis_may_forget_everything(processes: list[Process]) -> None:
    here, other, _ = processes
    here.slot(ALICE, 50)
    await rounds(processes, 2)
    await here.redis.delete(*[key async for key in here.redis.scan_iter()])
    await rounds(processes, 2)
    assert other.slot(ALICE, 1) == 0
    posted(here.quotas, ALICE, 30)
    await rounds(processes, 2)
    assert posted(other.quotas, ALICE, 1) == 0


async def test_messages_of_another_release_are_ignored(processes: list[Process]) -> None:
    await processes[0].redis.hset(site.key(KEY), "stranger", b"\xff nonsense")
    posted(processes[0].quotas, ALICE, 30)
    await rounds(processes, 2)
    assert posted(processes[1].quotas, ALICE, 1) == 0


async def test_without_redis_each_process_decides_alone_and_stores_no_report(clock: Clock, tmp_path: Any) -> None:
    lonely = Process(clock, f"unix://{tmp_path}/nobody.sock")
    for _ in range(3):
        assert posted(lonely.quotas, ALICE, 30) == 30
        with pytest.raises((RedisError, OSError)):
            await lonely.exchange.round()
        assert lonely.quotas.posts.take_usage() == {}
        clock.now += 3
    await lonely.redis.aclose()


async def test_it_is_one_field_for_each_process_and_ends_by_itself(processes: list[Process]) -> None:
    await rounds(processes)
    assert await processes[0].redis.hlen(site.key(KEY)) == 3
    assert 0 < await processes[0].redis.ttl(site.key(KEY)) <= 60


STRAYS = {
    "counts that are text": msgspec.msgpack.encode([7, {"1": "many"}, {}, {}]),
    "a count below nothing": msgspec.msgpack.encode([7, {ALICE: -1_000_000}, {}, {ALICE: -50}]),
    "a count past every number": msgspec.msgpack.encode([7, {ALICE: 2**63}, {}, {}]),
    "lists in lists": b"\x94\x07\x80\x80\x80" + b"\x91" * 100_000,
    "too short": msgspec.msgpack.encode([7]),
}


@pytest.mark.parametrize("stray", STRAYS.values(), ids=STRAYS.keys())
async def test_a_report_that_is_none_of_ours_is_passed_over(processes: list[Process], stray: bytes) -> None:
    here, other, _ = processes
    for number in range(2):
        await here.redis.hset(site.key(KEY), b"\xff stranger", stray.replace(b"\x07", bytes([7 + number]), 1))
        await rounds(processes)
    posted(here.quotas, ALICE, 30)
    here.slot(ALICE, 50)
    await rounds(processes, 2)
    assert posted(other.quotas, ALICE, 1) == 0
    assert other.slot(ALICE, 1) == 0


async def test_a_key_of_another_kind_is_deleted_and_processes_count_together_again(
    processes: list[Process],
) -> None:
    here, other, _ = processes
    await here.redis.delete(site.key(KEY))
    await here.redis.set(site.key(KEY), "not ours")
    with pytest.raises(RedisError):
        await here.exchange.round()
    await rounds(processes, 2)
    posted(here.quotas, ALICE, 30)
    await rounds(processes, 2)
    assert posted(other.quotas, ALICE, 1) == 0
