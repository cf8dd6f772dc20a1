"""Database threads: bounded, apart from each other, with connections that are kept and replaced on error."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from django.db import OperationalError, connection

from realtime import conf, threads
from realtime.protocol import Refused

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture(autouse=True)
def ended_threads() -> Iterator[None]:
    yield
    threads.close()


def raw_connection() -> int:
    connection.ensure_connection()
    return id(connection.connection)


async def test_a_thread_keeps_its_connection() -> None:
    assert len({await threads.write(raw_connection) for _ in range(5)}) == 1


async def test_a_database_error_replaces_the_connection() -> None:
    kept = []

    def fail() -> None:
        connection.ensure_connection()
        kept.append(connection.connection)  # Kept alive, so that its id is not used again.
        raise OperationalError("gone")

    before = await threads.write(raw_connection)
    with pytest.raises(OperationalError):
        await threads.write(fail)
    assert await threads.write(raw_connection) != before


async def test_a_slow_query_delays_neither_other_reads_nor_writes() -> None:
    release = threading.Event()
    slow = asyncio.create_task(threads.read(release.wait, 10))
    async with asyncio.timeout(5):
        await threads.read(raw_connection)
        await threads.write(raw_connection)
    assert not slow.done()
    release.set()
    assert await slow


async def test_writes_come_one_after_another() -> None:
    running = []

    def write(number: int) -> int:
        running.append(number)
        assert len(running) == 1
        return running.pop()

    assert await asyncio.gather(*(threads.write(write, one) for one in range(20))) == list(range(20))


async def test_more_than_may_wait_is_refused_and_frees_its_place(settings: Any) -> None:
    settings.REALTIME = replace(conf.settings(), queued_jobs=10)
    release = threading.Event()
    waiting = [asyncio.create_task(threads.write(release.wait, 10)) for _ in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await threads.write(raw_connection)
    assert caught.value.code == "unavailable"
    assert caught.value.retry_after_ms
    release.set()
    await asyncio.gather(*waiting)
    await threads.write(raw_connection)


async def test_postgresql_gives_up_in_time() -> None:
    def limits() -> list[str]:
        with connection.cursor() as cursor:
            return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in ("lock_timeout", "statement_timeout")]

    if connection.vendor == "postgresql":
        assert await threads.write(limits) == ["1s", "4s"]
    else:
        assert connection.settings_dict["OPTIONS"]["timeout"] == 2
