"""The threads of topics: the share of one class, and its queue."""

import asyncio
import threading
from typing import Any

import pytest

from hubbub import threads
from hubbub.protocol import Refused
from hubbub.topics.pools import SharedPool
from tests.support.hubs import until
from tests.support.tunables import set_beyond_bounds


async def test_jobs_that_are_cancelled_leave_their_place_in_the_queue(settings: object) -> None:
    set_beyond_bounds(settings, max_queued_jobs=2)
    pool = threads.Pool("test", 2)
    shared, begun, end = SharedPool(pool), threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        assert end.wait(10)

    try:
        running = asyncio.create_task(shared.run("slow", work))
        await until(begun.is_set)
        for _ in range(3):
            cancelled = [asyncio.create_task(shared.run("slow", work)) for _ in range(2)]
            await until(lambda: sum(not job[0].done() for job in shared._shares["slow"].waiting) == 2)
            for task in cancelled:
                task.cancel()
            results = await asyncio.gather(*cancelled, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
        waiting = [asyncio.create_task(shared.run("slow", threading.get_ident)) for _ in range(2)]
        await until(lambda: sum(not job[0].done() for job in shared._shares["slow"].waiting) == 2)
        with pytest.raises(Refused):
            await shared.run("slow", work)
        end.set()
        await running
        assert all(await asyncio.gather(*waiting))
        await until(lambda: not shared._shares)
    finally:
        end.set()
        pool.close()


async def test_the_next_job_of_a_class_needs_no_turn_of_the_event_loop() -> None:
    """While sockets come back in a storm, a turn takes longer than many jobs."""
    pool = threads.Pool("test", 4)
    shared, done, last = SharedPool(pool), [], threading.Event()
    try:
        results: list[asyncio.Future[Any]] = [shared.start("busy", done.append, number) for number in range(100)]
        results.append(shared.start("busy", last.set))
        assert last.wait(5)  # The loop stands.
        assert len(done) >= 99  # The other thread may still be at one.
        await asyncio.gather(*results)
        assert sorted(done) == list(range(100))
        await until(lambda: not shared._shares)
    finally:
        pool.close()


async def test_a_class_with_a_long_queue_leaves_half_of_the_threads_to_others_and_takes_turns() -> None:
    pool = threads.Pool("test", 2)
    shared, order, begun, end = SharedPool(pool), [], threading.Event(), threading.Event()

    def hang() -> None:
        begun.set()
        assert end.wait(10)

    try:
        hung = shared.start("hung", hang)
        await until(begun.is_set)
        # One thread is left, which the two others share in turns.
        first = [shared.start("first", order.append, f"first {number}") for number in range(3)]
        second = [shared.start("second", order.append, f"second {number}") for number in range(3)]
        await asyncio.gather(*first, *second)
        assert [*map(str.split, order)].index(["second", "0"]) <= 3
        end.set()
        await hung
    finally:
        end.set()
        pool.close()
