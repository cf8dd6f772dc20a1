"""A lock that allows one release at a time on one database, over all hosts. Every wait has a limit."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

# PostgreSQL's advisory locks are per database: the key needs no database name, which may differ behind a pooler.
ADVISORY_KEY = int.from_bytes(hashlib.blake2b(b"hubbub.release", digest_size=8).digest(), "big", signed=True)
LOCK_FILE_SUFFIX = ".release-lock"
POLL_SECONDS = 0.25


class Busy(Exception):
    """Another release held the lock for the whole waiting time."""


@contextmanager
def release_lock(seconds: float, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the default database during the block.

    PostgreSQL uses an advisory lock; SQLite a lock on a file beside the database, which stays there; others none.

    Args:
        seconds: how long to wait for the lock.
        report: receives one line when it has to wait.

    Raises:
        Busy: when another release holds the lock for `seconds`.
        django.db.Error: when the database fails.
        OSError: when the file cannot be opened.
    """
    connection: Any = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        with _advisory_lock(connection, seconds, report):
            yield
    elif connection.vendor == "sqlite" and not connection.is_in_memory_db():
        with _file_lock(os.path.realpath(connection.settings_dict["NAME"]) + LOCK_FILE_SUFFIX, seconds, report):
            yield
    else:
        yield


@contextmanager
def _advisory_lock(connection: Any, seconds: float, report: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock in one open transaction on a separate connection, the session.

    A pooler in transaction mode reuses the server connection after each transaction, so a session lock would leak.
    The transaction has no snapshot and no row, so neither vacuum nor an index build waits for it.
    """
    with connection.wrap_database_errors:
        session = connection.Database.connect(**connection.get_connection_params())
    with closing(session):

        def take() -> bool:
            with connection.wrap_database_errors:
                return bool(session.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_KEY]).fetchone()[0])

        with connection.wrap_database_errors:
            session.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        try:
            _wait(take, seconds, report)
            yield
            with connection.wrap_database_errors:
                session.execute("SELECT 1")  # Fails if the connection, and with it the lock, was lost meanwhile.
        finally:
            # The server notices the closed connection later; until then the next release would find the lock taken.
            with suppress(connection.Database.Error):
                session.rollback()


@contextmanager
def _file_lock(path: str, seconds: float, report: Callable[[str], None]) -> Iterator[None]:
    # Not the database file: closing a descriptor of it would drop SQLite's own locks in this process.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        _wait(take, seconds, report)
        yield
    finally:
        os.close(descriptor)


def _wait(take: Callable[[], bool], seconds: float, report: Callable[[str], None]) -> None:
    deadline = time.monotonic() + seconds
    is_reported = False
    while not take():
        if time.monotonic() >= deadline:
            raise Busy
        if not is_reported:
            is_reported = True
            report(f"another release holds the lock of this database; waiting up to {seconds:g} s")
        time.sleep(POLL_SECONDS)
