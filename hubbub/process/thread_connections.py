"""The database connections of our threads: limited in time, dropped when they have ended, cut off when they hang.

A leaf. `hubbub.threads` calls it.
"""

import logging
import os
import select
import socket
import threading
import weakref
from contextlib import suppress
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from hubbub.process import primary_reads

logger = logging.getLogger(__name__)

# PostgreSQL has no default limits. The last one frees rows that a stopped process has locked.
# Longer than PostgreSQL's deadlock_timeout of 1 s: else both transactions of a deadlock may end by the first limit,
# and neither as a deadlock, after which one is run again.
POSTGRESQL_LIMITS = {"lock_timeout": "1500ms", "statement_timeout": "4s", "idle_in_transaction_session_timeout": "5s"}

# A pooler has process ids of its own. Behind one, a session's limits would stay with a server connection, and cancel
# statements of other clients. The statement then changes nothing, and returns the limits of the server connection.
SET_LIMITS = "SELECT " + ", ".join(
    f"CASE pg_backend_pid() WHEN %s THEN set_config('{name}', '{value}', false) ELSE current_setting('{name}') END"
    for name, value in POSTGRESQL_LIMITS.items()
)
RESET_LIMITS = "; ".join(f"RESET {name}" for name in POSTGRESQL_LIMITS)
UNLIMITED = "0"

IDLE = 0  # PQTRANS_IDLE of libpq: no transaction.

_local = threading.local()
# Limits that a pooler is known to lack.
_warned: set[str] = set()
_warned_lock = threading.Lock()
# By ident of our threads: the psycopg connection.
_connections: dict[int, Any] = {}
# The psycopg connections with our limits. A pool of Django hands them on, also to the threads of pages.
_limited: weakref.WeakSet[Any] = weakref.WeakSet()


def limit() -> None:
    """Limit the PostgreSQL connections that this thread opens from now on; it reads from the primary databases."""
    primary_reads.in_this_thread()
    _local.is_limited = True


def drop_ended() -> None:
    """Close connections that the server ended while they were idle, so that the next query does not fail.

    An idle connection with something to read has ended, or carries a notice, which is not worth keeping it for.
    """
    for database in connections.all(initialized_only=True):
        if database.vendor == "postgresql" and database.connection is not None:
            poll = select.poll()
            poll.register(database.connection.fileno(), select.POLLIN)
            if poll.poll(0):
                database.close()


def close(barrier: threading.Barrier) -> None:
    """Close the connections of this thread, and wait for the others at the barrier."""
    connections.close_all()
    _connections.pop(threading.get_ident(), None)
    barrier.wait(timeout=10)


def cut_off(thread: int) -> bool:
    """End the open PostgreSQL connection of the thread with this ident. Returns whether there was one.

    Idle connections of the other threads are ended as well: where one gets no reply, the route of all may be lost, and
    the first query of each would hang as long.
    """
    database = _connections.get(thread)
    if database is None or database.closed:
        return False
    _shut_down(database)
    for other, connection in [*_connections.items()]:
        if other != thread and not connection.closed and connection.pgconn.transaction_status == IDLE:
            _shut_down(connection)
    return True


def _shut_down(database: Any) -> None:
    import psycopg  # Not installed on SQLite sites.

    # Shutdown on a duplicate: the descriptor belongs to psycopg, whose thread then sees the end.
    with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(database.fileno())) as duplicate:
        duplicate.shutdown(socket.SHUT_RDWR)


def _on_connection(connection: BaseDatabaseWrapper, **_: object) -> None:
    if connection.vendor != "postgresql":
        return
    database = connection.connection
    if getattr(_local, "is_limited", False):
        _connections[threading.get_ident()] = database
        if database not in _limited:
            _set_limits(connection)
    elif database in _limited:
        _limited.discard(database)
        with connection.cursor() as cursor:
            cursor.execute(RESET_LIMITS)


def _set_limits(connection: BaseDatabaseWrapper) -> None:
    database: Any = connection.connection
    with connection.cursor() as cursor:
        cursor.execute(SET_LIMITS, [database.info.backend_pid] * len(POSTGRESQL_LIMITS))
        limits = dict(zip(POSTGRESQL_LIMITS, cursor.fetchone(), strict=True))
    if limits == POSTGRESQL_LIMITS:
        _limited.add(database)
    elif missing := [name for name, value in limits.items() if value == UNLIMITED]:
        _warn_of_pooler(", ".join(missing))


def _warn_of_pooler(missing: str) -> None:
    """Once per process, also where several threads connect at once."""
    with _warned_lock:
        if missing in _warned:
            return
        _warned.add(missing)
    logger.warning("database: pooler without %s, set them by its connect_query or on the role", missing)


connection_created.connect(_on_connection, dispatch_uid="hubbub.threads")
