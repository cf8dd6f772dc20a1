"""One release at a time on one database, whichever host it runs on. Nothing here waits without a bound."""

import fcntl
import hashlib
import os
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connections

# PostgreSQL's advisory locks belong to one database: its name need not be in the key, and may differ behind a pooler.
ADVISORY_KEY = int.from_bytes(hashlib.blake2b(b"hubbub.release", digest_size=8).digest(), "big", signed=True)
LOCK_FILE_SUFFIX = ".release-lock"
LOOK_SECONDS = 0.25


class Busy(Exception):
    """Another release held the lock for all of the time that this one may wait."""


@contextmanager
def release_lock(seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock of the default database; wait for it at most `seconds`, and `say` so in one line.

    PostgreSQL: an advisory lock. SQLite: a lock on a file beside the database, which stays there. Others: no lock.
    Raises: Busy; Django's database errors; OSError for the file.
    """
    connection: Any = connections[DEFAULT_DB_ALIAS]
    if connection.vendor == "postgresql":
        with _advisory_lock(connection, seconds, say):
            yield
    elif connection.vendor == "sqlite" and not connection.is_in_memory_db():
        with _file_lock(os.path.realpath(connection.settings_dict["NAME"]) + LOCK_FILE_SUFFIX, seconds, say):
            yield
    else:
        yield


@contextmanager
def _advisory_lock(connection: Any, seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    """Held by one open transaction on a connection of its own.

    A pooler in transaction mode keeps a server connection for one transaction only, so a lock of the session would
    stay behind there. The transaction holds no snapshot and no row, so neither vacuum nor an index waits for it.
    """
    with connection.wrap_database_errors:
        own = connection.Database.connect(**connection.get_connection_params())
    with closing(own):

        def take() -> bool:
            with connection.wrap_database_errors:
                return bool(own.execute("SELECT pg_try_advisory_xact_lock(%s)", [ADVISORY_KEY]).fetchone()[0])

        with connection.wrap_database_errors:
            own.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        try:
            _wait(take, seconds, say)
            yield
            with connection.wrap_database_errors:
                own.execute("SELECT 1")  # A connection that was cut meanwhile has lost the lock: that is a failure.
        finally:
            # The end of the connection reaches the server later, and the next release would find the lock taken.
            with suppress(connection.Database.Error):
                own.rollback()


@contextmanager
def _file_lock(path: str, seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    # Not the database file itself: closing a descriptor of it would drop SQLite's own locks in this process.
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    def take() -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    try:
        _wait(take, seconds, say)
        yield
    finally:
        os.close(descriptor)


def _wait(take: Callable[[], bool], seconds: float, say: Callable[[str], None]) -> None:
    deadline = time.monotonic() + seconds
    is_said = False
    while not take():
        if time.monotonic() >= deadline:
            raise Busy
        if not is_said:
            is_said = True
            say(f"another release runs on this database; this one waits for it, at most {seconds:g} s")
        time.sleep(LOOK_SECONDS)
