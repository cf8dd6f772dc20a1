"""Threads for synchronous Django code: a writer, a few readers, and those of topics, apart from asgiref's thread.

A slow query delays neither sockets nor pages. Each thread keeps its database connection. A job that is late, or finds
no database, raises Refused `unavailable`; its socket stays open.
"""

import asyncio
import functools
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connections, transaction

from hubbub import conf
from hubbub.process import thread_connections
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Refused
from hubbub.queries import database_of

P = ParamSpec("P")
R = TypeVar("R")

# The deadline of a job, and of a command from its receipt. Not a tunable: the limits of the databases (in
# `process/thread_connections.py` and the project's settings) must be shorter.
ANSWER_SECONDS = 4.0
# After the deadline, a job that still waits for PostgreSQL has its connection closed. Usually the server's own limits
# end it sooner; over a dead network route the thread would wait for ever.
CUT_OFF_SECONDS = 4.0
RETRY_AFTER_MS = 1000

_local = threading.local()


class JobCallbacks:
    """Callbacks of one job, for the event loop to call when the job ends."""

    __slots__ = ("calls", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.calls: list[Callable[[], None]] = []


def call_at_end(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> bool:
    """Let `loop` call `call` when the running job ends: its result wakes the loop anyway. Once per job and callback.

    Returns:
        Whether it will be called; False outside of a job, and in a job for another loop.
    """
    callbacks: JobCallbacks | None = getattr(_local, "callbacks", None)
    if callbacks is None or callbacks.loop is not loop:
        return False
    if call not in callbacks.calls:
        callbacks.calls.append(call)
    return True


class Pool:
    """Threads that run jobs, bounded in queue length and time.

    Args:
        name: of the threads, also in the log.
        threads: how many.
    """

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self.threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self.outage = LogOnce(f"database ({name})")
        # By ident of the thread: the future of its job.
        self._running: dict[int, asyncio.Future[Any]] = {}

    def submit(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> "asyncio.Future[R]":
        """Run `fn(*args, **kwargs)` in one of the threads, without a task of the event loop.

        Returns:
            The result. A job that has not begun after ANSWER_SECONDS, or when the result is cancelled, never begins. A
            running job goes on; its result is dropped. The result raises Refused `unavailable` if the database is
            away or the job is late.

        Raises:
            Refused: `unavailable`: the queue is full.
        """
        if self._executor is not None and self._executor._work_queue.qsize() >= conf.settings().max_queued_jobs:
            raise self._unavailable("job queue is full")
        result, work = self.job(fn, *args, **kwargs)
        self.execute(work)
        return result

    def job(
        self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs
    ) -> "tuple[asyncio.Future[R], Callable[[], None]]":
        """Make a job without a place in the queue.

        Returns:
            Its result as from `submit`, and the function for `execute`, which runs it.
        """
        loop = asyncio.get_running_loop()
        result: asyncio.Future[R] = loop.create_future()
        deadline = loop.time() + ANSWER_SECONDS
        result.add_done_callback(functools.partial(self._ended, loop.call_at(deadline, self._expire, result)))
        return result, functools.partial(self._work, functools.partial(fn, *args, **kwargs), result, time.monotonic())

    def execute(self, work: Callable[[], None]) -> None:
        """Run a function in one of the threads, after those that wait. Thread-safe."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self.threads, self._name, initializer=thread_connections.limit)
        self._executor.submit(work)

    async def run(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """As `submit`, and wait for the result. Cancelling this cancels a job that has not begun."""
        return await self.submit(fn, *args, **kwargs)

    def close(self) -> None:
        """End the threads and close their connections; the next `run` starts new ones."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        # One job per thread, all at once, so that each thread closes its own connection. As many as there may be: the
        # executor starts another thread beside one that is still busy, which would get no job.
        barrier = threading.Barrier(self.threads)
        for _ in range(barrier.parties):
            executor.submit(thread_connections.close, barrier)
        executor.shutdown(wait=True)

    def _unavailable(self, problem: str) -> Refused:
        COUNTERS.database_failures += 1
        self.outage.failed(problem)
        return refused_unavailable()

    def _work(self, call: Callable[[], R], future: "asyncio.Future[R]", asked_at: float) -> None:
        """Run one job in a thread. A callback delivers the result: a concurrent future would double the cost."""
        result: R | None = None
        error: BaseException | None = None
        callbacks: JobCallbacks | None = None
        # The time is checked, too: the timer of a busy event loop may be late.
        if future.done() or time.monotonic() - asked_at > ANSWER_SECONDS:
            error = _NOT_BEGUN
        else:
            self._running[threading.get_ident()] = future
            _local.callbacks = callbacks = JobCallbacks(future.get_loop())
            try:
                thread_connections.drop_ended()
                result = call()
            except BaseException as raised:  # noqa: BLE001 - raised to the caller of `run`
                error = raised
                if isinstance(raised, DatabaseError):
                    # The connection may be broken: the next job gets a new one.
                    connections.close_all()
            finally:
                _local.callbacks = None
                del self._running[threading.get_ident()]
        calls = callbacks.calls if callbacks else ()
        future.get_loop().call_soon_threadsafe(self._finish, future, result, error, calls)
        del error  # Its traceback holds this frame.

    def _finish(
        self,
        future: "asyncio.Future[Any]",
        result: Any,
        error: BaseException | None,
        calls: Iterable[Callable[[], None]],
    ) -> None:
        """Deliver the result of a job, in the event loop. Also called for late and cancelled jobs."""
        for call in calls:
            call()
        if error is _NOT_BEGUN:
            self._expire(future)
            return
        if error is not None and is_away(error):
            COUNTERS.database_failures += 1
            self.outage.failed(repr(error))
            refused = refused_unavailable()
            refused.__cause__ = error
            error = refused
        else:
            self.outage.recovered()
        if future.done():
            return
        if error is None:
            future.set_result(result)
        else:
            future.set_exception(error)

    def _expire(self, future: "asyncio.Future[Any]") -> None:
        if not future.done():
            future.set_exception(self._unavailable(f"no result within {ANSWER_SECONDS:g} s"))

    def _ended(self, timer: asyncio.TimerHandle, future: "asyncio.Future[Any]") -> None:
        timer.cancel()
        if future in self._running.values():  # Late or cancelled.
            future.get_loop().call_at(timer.when() + CUT_OFF_SECONDS, self._cut_off, future)

    def _cut_off(self, future: "asyncio.Future[Any]") -> None:
        for thread, running in [*self._running.items()]:
            if running is future and thread_connections.cut_off(thread):
                self.outage.failed("no reply from the server, connection closed")


_NOT_BEGUN = Exception("the job expired before it began")


@functools.cache
def _readers() -> Pool:
    return Pool("readers", conf.settings().reader_threads)


@functools.cache
def _writer() -> Pool:
    return Pool("writer", 1)


@functools.cache
def topic_readers() -> Pool:
    """The threads for states and reading commands of topics: a slow feature must not delay handshakes."""
    return Pool("topics", conf.settings().topic_reader_threads)


@functools.cache
def topic_writers() -> Pool:
    """The threads for commands of topics. On SQLite the one writer: several would only wait for one another."""
    if connections[databases()[0]].vendor == "sqlite":
        return _writer()
    return Pool("topic-writers", conf.settings().topic_writer_threads)


def held_connections() -> int:
    """The connections that these threads keep on PostgreSQL, once each has had a job."""
    tunables = conf.settings.usable()
    return tunables.reader_threads + 1 + tunables.topic_reader_threads + tunables.topic_writer_threads


async def read(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `fn`, which only reads the database, in a reader thread. Raises as `Pool.run`."""
    return await _readers().run(fn, *args, **kwargs)


async def write(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `fn`, which writes to the database, in the one writer thread of this process, so writers do not contend.

    Raises as `Pool.run`. After `unavailable` the data may be saved all the same: a retry must carry the id of the first
    attempt, as a post does.
    """
    return await _writer().run(fn, *args, **kwargs)


def databases() -> list[str]:
    """The aliases of the databases that every process needs: the engine's first, then the users', if it is another."""
    return [*dict.fromkeys(map(database_of, (apps.get_model("hubbub", "SiteIdentity"), get_user_model())))]


async def check() -> None:
    """Check that the databases answer; after a failed write, also that the engine's can be written.

    Raises:
        Refused: `unavailable`.
    """
    await read(_select_one)
    if _writer().outage.is_failing:
        await write(_lock_for_writing)


def is_away(error: BaseException) -> bool:
    """Whether the error means that the database is unreachable, locked, full, read-only or broken."""
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def refused_unavailable() -> Refused:
    """The error for a database that is away."""
    detail = "the database is unreachable or overloaded; try again"
    return Refused(ErrorCode.UNAVAILABLE, detail, retry_after_ms=RETRY_AFTER_MS)


def close() -> None:
    """End the threads of all pools, for tests: before the database is dropped."""
    for pool in (_readers(), _writer(), topic_readers(), topic_writers()):
        pool.close()


def _select_one() -> None:
    for alias in databases():
        with connections[alias].cursor() as cursor:
            cursor.execute("SELECT 1")


def _lock_for_writing() -> None:
    # SQLite takes its write lock at the start of a transaction.
    with transaction.atomic(using=databases()[0]):
        _select_one()
