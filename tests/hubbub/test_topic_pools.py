"""The threads of topics: the share of one class, and its queue."""

import asyncio
import threading

import pytest
from msgspec.structs import replace

from hubbub import conf, threads
from hubbub.protocol import Refused
from hubbub.topics.pools import SharedPool
from tests.support.hubs import until


async def test_jobs_that_are_cancelled_leave_their_place_in_the_queue(settings: object) -> None:
    settings.HUBBUB = replace(conf.settings(), max_queued_jobs=2)  # type: ignore[attr-defined]
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
            await until(lambda: len(shared._shares["slow"].waiting) == 2)
            for task in cancelled:
                task.cancel()
            results = await asyncio.gather(*cancelled, return_exceptions=True)
            assert all(isinstance(result, asyncio.CancelledError) for result in results)
        waiting = [asyncio.create_task(shared.run("slow", threading.get_ident)) for _ in range(2)]
        await until(lambda: len(shared._shares["slow"].waiting) == 2)
        with pytest.raises(Refused):
            await shared.run("slow", work)
        end.set()
        await running
        assert all(await asyncio.gather(*waiting))
        await until(lambda: not shared._shares)
    finally:
        end.set()
        pool.close()
