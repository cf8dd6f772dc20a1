"""Threads for synchronous Django code: one writer and a few readers per process, apart from asgiref's one thread.

A slow query then delays neither other sockets nor the pages. Each thread keeps its database connection for its life.
What is not done in time, or finds no database, is Refused `unavailable`: the socket that asked stays open.
"""

import asyncio
import functools
import os
import select
import socket
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, ParamSpec, TypeVar

from django.db import Error as DatabaseError
from django.db import InterfaceError, OperationalError, connection, connections, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from hubbub import conf
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Refused

P = ParamSpec("P")
R = TypeVar("R")

# From the asking for a job to its result, and from the receipt of a command to its answer. Not a tunable: the limits
# of the databases (below, and in the project's settings) are chosen to lie within it.
ANSWER_SECONDS = 4.0
# So long after that, a job that still waits for PostgreSQL has its connection cut. The server's own limits end it
# sooner, if there is anybody who hears of it: behind a route that takes everything and answers nothing, a thread would
# wait for ever, and all that is asked of it with it.
CUT_OFF_SECONDS = 4.0
RETRY_AFTER_MS = 1000

# PostgreSQL has no limits by itself. The last frees a room whose lock a process holds that has been stopped.
POSTGRESQL_LIMITS = (
    "SET lock_timeout = '1s'; SET statement_timeout = '4s'; SET idle_in_transaction_session_timeout = '5s'"
)

_local = threading.local()
# Of our threads, by their idents: the connection to PostgreSQL, as psycopg knows it.
_connections: dict[int, Any] = {}


class AtEnd:
    """Of one job: what the loop calls when the job ends."""

    __slots__ = ("calls", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.calls: list[Callable[[], None]] = []


def call_at_end(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> bool:
    """Have `call` called in `loop` when the running job ends: the loop is woken for its result anyway.

    Returns:
        Whether it will be called; False outside of a job, and in a job for another loop.
    """
    at_end: AtEnd | None = getattr(_local, "at_end", None)
    if at_end is None or at_end.loop is not loop:
        return False
    if call not in at_end.calls:
        at_end.calls.append(call)
    return True


class Pool:
    """Threads that run jobs, with a bound on how many may wait and on how long."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self.outage = LogOnce(f"database ({name})")
        # What each thread is at, by the thread's ident.
        self._in_work: dict[int, asyncio.Future[Any]] = {}

    async def run(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of `fn(*args, **kwargs)` in one of the threads.

        Refused `unavailable` when too much waits, when the database is away, and after ANSWER_SECONDS. What has not
        begun by then, or when this is cancelled, never begins; what has is carried on, and its result is dropped.
        """
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads, self._name, initializer=_mark_thread)
        if self._executor._work_queue.qsize() >= conf.settings().max_queued_jobs:
            raise self._unavailable("job queue is full")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()
        self._executor.submit(self._do, functools.partial(fn, *args, **kwargs), answer, time.monotonic())
        timer = loop.call_later(ANSWER_SECONDS, self._give_up, answer)
        asked_at = loop.time()
        try:
            return await answer
        finally:
            timer.cancel()
            if answer in self._in_work.values():
                # Given up, here or by who asked.
                loop.call_at(asked_at + ANSWER_SECONDS + CUT_OFF_SECONDS, self._cut_off, answer)

    def close(self) -> None:
        """End the threads and close their connections; the next `run` makes new ones."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        # One job per thread, all at once, so that each thread closes its own connection.
        everyone = threading.Barrier(len(executor._threads))
        for _ in range(everyone.parties):
            executor.submit(_close_connections, everyone)
        executor.shutdown(wait=True)

    def _unavailable(self, problem: str) -> Refused:
        COUNTERS.database_failures += 1
        self.outage.failed(problem)
        return refused_unavailable()

    def _do(self, call: Callable[[], R], answer: "asyncio.Future[R]", asked_at: float) -> None:
        """In a thread. Not a concurrent.futures result that is waited for with a limit: that takes as long again."""
        result: R | None = None
        error: BaseException | None = None
        at_end: AtEnd | None = None
        # The time too: a busy event loop may not have come to giving up.
        if answer.done() or time.monotonic() - asked_at > ANSWER_SECONDS:
            error = _NOT_BEGUN
        else:
            self._in_work[threading.get_ident()] = answer
            _local.at_end = at_end = AtEnd(answer.get_loop())
            try:
                _drop_ended_connections()
                result = call()
            except BaseException as raised:  # noqa: BLE001 - whoever asked gets it
                error = raised
                if isinstance(raised, DatabaseError):
                    # Whether the connection still works is not known: the next job gets a new one.
                    connections.close_all()
            finally:
                _local.at_end = None
                del self._in_work[threading.get_ident()]
        answer.get_loop().call_soon_threadsafe(self._finish, answer, result, error, at_end.calls if at_end else ())
        del error  # Its traceback holds this frame.

    def _finish(
        self,
        answer: "asyncio.Future[Any]",
        result: Any,
        error: BaseException | None,
        at_end: Iterable[Callable[[], None]],
    ) -> None:
        """Called for each job when it has ended, also for one that nobody waits for any more."""
        for call in at_end:
            call()
        if error is _NOT_BEGUN:
            self._give_up(answer)
            return
        if error is not None and is_away(error):
            COUNTERS.database_failures += 1
            self.outage.failed(repr(error))
            refused = refused_unavailable()
            refused.__cause__ = error
            error = refused
        else:
            self.outage.worked()
        if answer.done():
            return
        if error is None:
            answer.set_result(result)
        else:
            answer.set_exception(error)

    def _give_up(self, answer: "asyncio.Future[Any]") -> None:
        if not answer.done():
            answer.set_exception(self._unavailable(f"no result within {ANSWER_SECONDS:g} s"))

    def _cut_off(self, answer: "asyncio.Future[Any]") -> None:
        for thread, in_work in [*self._in_work.items()]:
            if in_work is answer and (asked := _connections.get(thread)) is not None and not asked.closed:
                import psycopg  # Sites on SQLite need not have it.

                self.outage.failed("no reply from the server, connection closed")
                # The thread finds it ended. The descriptor itself stays psycopg's.
                with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(asked.fileno())) as one:
                    one.shutdown(socket.SHUT_RDWR)


_NOT_BEGUN = Exception("the job expired before it began")


@functools.cache
def _readers() -> Pool:
    return Pool("readers", conf.settings().reader_threads)


@functools.cache
def _writer() -> Pool:
    return Pool("writer", 1)


async def read(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `fn`, which only reads the database, in a reader thread. Refused `unavailable`: see `Pool.run`."""
    return await _readers().run(fn, *args, **kwargs)


async def write(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `fn`, which writes to the database, in this process's one writer thread: writers do not contend here.

    Refused `unavailable`: see `Pool.run`. It may have been saved all the same: what is tried again must say so by an
    id of its own, as a post does.
    """
    return await _writer().run(fn, *args, **kwargs)


async def check() -> None:
    """Ask the database for a sign of life; for the right to write as well, if the last who wanted it did not get it.

    Raises what it fails by.
    """
    await read(_ask)
    if _writer().outage.is_on:
        await write(_ask_to_write)


def is_away(error: BaseException) -> bool:
    """Whether it says that the database is out of reach, locked, full, read-only or broken; not: asked wrongly."""
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def refused_unavailable() -> Refused:
    detail = "the database is unreachable or overloaded; try again"
    return Refused(ErrorCode.UNAVAILABLE, detail, retry_after_ms=RETRY_AFTER_MS)


def close() -> None:
    """End all threads of this process's pools (before a test database is dropped)."""
    _readers().close()
    _writer().close()


def _ask() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _ask_to_write() -> None:
    # SQLite takes its write lock at the beginning.
    with transaction.atomic():
        _ask()


def _drop_ended_connections() -> None:
    """A server that has gone while nothing was asked of it has ended the connection: what is asked next need not fail.

    An idle connection that can be read from was ended, or told something that is not worth keeping it for.
    """
    for one in connections.all(initialized_only=True):
        if one.vendor == "postgresql" and one.connection is not None:
            poll = select.poll()
            poll.register(one.connection.fileno(), select.POLLIN)
            if poll.poll(0):
                one.close()


def _mark_thread() -> None:
    _local.is_ours = True


def _set_limits(connection: BaseDatabaseWrapper, **_: object) -> None:
    if connection.vendor == "postgresql" and getattr(_local, "is_ours", False):
        _connections[threading.get_ident()] = connection.connection
        with connection.cursor() as cursor:
            cursor.execute(POSTGRESQL_LIMITS)


def _close_connections(everyone: threading.Barrier) -> None:
    connections.close_all()
    _connections.pop(threading.get_ident(), None)
    everyone.wait(timeout=10)


connection_created.connect(_set_limits, dispatch_uid="hubbub.threads")
