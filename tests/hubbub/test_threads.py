"""Database threads: bounded, apart from each other, with connections that are kept and replaced on error."""

import asyncio
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, connections

from hubbub import threads
from hubbub.process.metrics import COUNTERS
from hubbub.process.thread_connections import POSTGRESQL_LIMITS
from hubbub.protocol import Refused
from tests.support.cluster import until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture(autouse=True)
def own_threads() -> Iterator[None]:
    threads.close()  # Of tests before: nothing would close them later.
    threads._writer.cache_clear()
    threads._readers.cache_clear()
    yield
    threads.close()


def raw_connection() -> int:
    connection.ensure_connection()
    return id(connection.connection)


async def test_a_thread_keeps_its_connection() -> None:
    assert len({await threads.write(raw_connection) for _ in range(5)}) == 1


async def test_the_end_closes_the_connections_of_busy_threads_too() -> None:
    """A thread whose job has just ended counts as busy to its executor, which then starts another one."""
    pool, begun, end = threads.Pool("test", 3), threading.Event(), threading.Event()
    opened = []

    def work() -> None:
        connection.ensure_connection()
        opened.append(connections["default"])
        begun.set()
        assert end.wait(10)

    job = pool.submit(work)
    assert await asyncio.to_thread(begun.wait, 10)
    closing = asyncio.create_task(asyncio.to_thread(pool.close))
    await until(lambda: pool._executor is None)
    end.set()
    await closing
    await job
    assert [wrapper.connection for wrapper in opened] == [None]


async def test_a_database_error_replaces_the_connection() -> None:
    used = []

    def fail() -> None:
        connection.ensure_connection()
        used.append(connection.connection)  # Kept alive, so that its id is not used again.
        raise OperationalError("gone")

    before = await threads.write(raw_connection)
    with pytest.raises(Refused) as caught:
        await threads.write(fail)
    assert (caught.value.code, bool(caught.value.retry_after_ms)) == ("unavailable", True)
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

    assert await asyncio.gather(*(threads.write(write, number) for number in range(20))) == list(range(20))


async def test_more_than_may_wait_is_refused_at_once_and_frees_its_place(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"MAX_QUEUED_JOBS": 10}
    begun, release = threading.Event(), threading.Event()
    running = asyncio.create_task(threads.write(hold, begun, release))
    await until(begun.is_set)
    waiting = [asyncio.create_task(threads.write(raw_connection)) for _ in range(10)]
    await asyncio.sleep(0)
    with pytest.raises(Refused) as caught:
        await threads.write(raw_connection)
    assert caught.value.code == "unavailable"
    assert caught.value.retry_after_ms
    await threads.read(raw_connection)  # Others' places are not taken by it.
    release.set()
    await asyncio.gather(running, *waiting)
    await threads.write(raw_connection)


def hold(begun: threading.Event, release: threading.Event) -> None:
    begun.set()
    assert release.wait(10)


async def test_a_stuck_command_and_the_queue_behind_it_are_refused_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "ANSWER_SECONDS", 0.3)
    begun, release = threading.Event(), threading.Event()
    done: list[str] = []
    failures = COUNTERS.database_failures
    stuck = asyncio.create_task(threads.write(hold, begun, release))
    await until(begun.is_set)
    behind = asyncio.create_task(threads.write(done.append, "behind"))
    began = time.monotonic()
    for task in (stuck, behind):
        with pytest.raises(Refused) as caught:
            await task
        assert caught.value.code == "unavailable"
    assert time.monotonic() - began < 3
    assert COUNTERS.database_failures == failures + 2
    release.set()
    await threads.write(done.append, "afterwards")
    assert done == ["afterwards"]


async def test_a_job_that_is_cancelled_before_its_turn_never_begins() -> None:
    begun, release = threading.Event(), threading.Event()
    done: list[str] = []
    running = asyncio.create_task(threads.write(hold, begun, release))
    await until(begun.is_set)
    unwanted = asyncio.create_task(threads.write(done.append, "unwanted"))
    await asyncio.sleep(0)
    unwanted.cancel()
    await asyncio.wait([unwanted])
    release.set()
    await running
    await threads.write(done.append, "wanted")
    assert done == ["wanted"]


async def test_an_error_that_is_not_the_databases_is_raised_as_it_is() -> None:
    def fail(error: Exception) -> None:
        raise error

    for error in (ValueError("a bug"), IntegrityError("a rule"), Refused("forbidden", "no")):
        with pytest.raises(type(error)) as caught:
            await threads.write(fail, error)
        assert caught.value is error


async def test_an_outage_is_one_line_however_many_jobs_fail(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        raise OperationalError("database is locked")

    failures = COUNTERS.database_failures
    for _ in range(5):
        with pytest.raises(Refused):
            await threads.write(fail)
    assert COUNTERS.database_failures == failures + 5
    [line] = caplog.messages
    assert "database is locked" in line
    await threads.write(raw_connection)
    assert "recovered after" in caplog.messages[-1]
    assert "failures: 5" in caplog.messages[-1]
    with pytest.raises(Refused):
        await threads.write(fail)
    await threads.write(raw_connection)
    assert len(caplog.messages) == 2  # It comes and goes: what was said within ten seconds is not said again.


async def test_a_check_asks_for_the_right_to_write_while_writing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    ask = threads._select_one

    def watched() -> None:
        asked.append(threading.current_thread().name.split("_")[0])
        ask()

    def fail() -> None:
        raise OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(threads, "_select_one", watched)
    await threads.check()
    assert asked == ["readers"]
    with pytest.raises(Refused):
        await threads.write(fail)
    await threads.check()
    await threads.check()
    assert asked == ["readers", "readers", "writer", "readers"]


async def test_a_connection_that_the_server_ended_is_replaced_before_it_is_used() -> None:
    def end_it() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    def own_pid() -> int:
        with connection.cursor() as cursor:
            return int(cursor.execute("SELECT pg_backend_pid()").fetchone()[0])

    if connection.vendor != "postgresql":
        return
    pid = await threads.write(own_pid)
    await threads.read(end_it)
    assert await threads.write(own_pid) != pid


def limits() -> list[str]:
    with connection.cursor() as cursor:
        return [cursor.execute(f"SHOW {name}").fetchone()[0] for name in POSTGRESQL_LIMITS]


async def test_postgresql_gives_up_in_time() -> None:
    if connection.vendor == "postgresql":
        assert await threads.write(limits) == ["1500ms", "4s", "5s"]
    else:
        assert connection.settings_dict["OPTIONS"]["timeout"] == 2


async def test_a_page_that_gets_a_connection_of_a_job_from_the_pool_has_no_limits() -> None:
    used = []

    def job() -> list[str]:
        connection.ensure_connection()
        used.append(connection.connection)
        return limits()

    def page() -> list[str]:
        connection.ensure_connection()
        while connection.connection is not used[0]:  # The pool hands out the one that has waited longest.
            connection.close()
            connection.ensure_connection()
        try:
            return limits()
        finally:
            connection.close()

    if connection.vendor != "postgresql":
        return
    for _ in range(2):
        assert await threads.write(job) == ["1500ms", "4s", "5s"]
        threads.close()
        assert await asyncio.to_thread(page) == ["0", "0", "0"]
        used.clear()


async def test_a_job_wakes_the_loop_once_for_its_result_and_its_publications() -> None:
    loop = asyncio.get_running_loop()
    calls: list[str] = []

    def woken() -> None:
        calls.append("woken")

    def job() -> bool:
        return threads.call_at_end(loop, woken) and threads.call_at_end(loop, woken)

    assert await threads.write(job)
    assert calls == ["woken"]
    assert not threads.call_at_end(loop, woken)  # Outside of a job.
    other = asyncio.new_event_loop()
    try:
        assert not await threads.write(lambda: threads.call_at_end(other, woken))
    finally:
        other.close()


async def test_publications_of_a_failed_or_late_job_are_sent() -> None:
    loop = asyncio.get_running_loop()
    sent = asyncio.Event()

    def job() -> None:
        threads.call_at_end(loop, sent.set)
        raise ValueError("planted")

    with pytest.raises(ValueError, match="planted"):
        await threads.write(job)
    assert sent.is_set()
