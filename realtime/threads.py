"""Threads for synchronous Django code: one writer and a few readers per process, apart from asgiref's one thread.

A slow query then delays neither other sockets nor the pages. Each thread keeps its database connection for its life.
"""

import asyncio
import functools
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from django.db import Error as DatabaseError
from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from realtime import conf
from realtime.protocol import ErrorCode, Refused

P = ParamSpec("P")
R = TypeVar("R")

# PostgreSQL has no limits by itself. A post is answered within 4 s: a statement must not outlive that.
POSTGRESQL_LIMITS = "SET lock_timeout = '1s'; SET statement_timeout = '4s'"

_local = threading.local()


class Pool:
    """Threads that run jobs, with a bound on how many may wait."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._threads = threads
        self._executor: ThreadPoolExecutor | None = None
        self._waiting = 0

    async def run(self, fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The result of `fn(*args, **kwargs)` in one of the threads. Refused `unavailable` when too much waits."""
        if self._waiting >= conf.settings().queued_jobs:
            raise Refused(ErrorCode.UNAVAILABLE, "too much in work", retry_after_ms=1000)
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._threads, self._name, initializer=_mark_thread)
        self._waiting += 1
        try:
            job = functools.partial(_in_thread, functools.partial(fn, *args, **kwargs))
            return await asyncio.get_running_loop().run_in_executor(self._executor, job)
        finally:
            self._waiting -= 1

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


@functools.cache
def _readers() -> Pool:
    return Pool("database-reader", conf.settings().reader_threads)


@functools.cache
def _writer() -> Pool:
    return Pool("database-writer", 1)


async def read(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `fn`, which only reads the database, in a reader thread."""
    return await _readers().run(fn, *args, **kwargs)


async def write(fn: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Run `fn`, which writes to the database, in this process's one writer thread: writers do not contend here."""
    return await _writer().run(fn, *args, **kwargs)


def close() -> None:
    """End all threads of this process's pools (before a test database is dropped)."""
    _readers().close()
    _writer().close()


def _in_thread(job: Callable[[], R]) -> R:
    try:
        return job()
    except DatabaseError:
        # Whether the connection still works is not known: the next job gets a new one.
        connections.close_all()
        raise


def _mark_thread() -> None:
    _local.is_ours = True


def _set_limits(connection: BaseDatabaseWrapper, **_: object) -> None:
    if connection.vendor == "postgresql" and getattr(_local, "is_ours", False):
        with connection.cursor() as cursor:
            cursor.execute(POSTGRESQL_LIMITS)


def _close_connections(everyone: threading.Barrier) -> None:
    connections.close_all()
    everyone.wait(timeout=10)


connection_created.connect(_set_limits, dispatch_uid="realtime.threads")
