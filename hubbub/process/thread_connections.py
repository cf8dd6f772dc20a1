"""The database connections of our threads: limited in time, dropped when they have ended, cut off when they hang.

A leaf. `hubbub.threads` calls it.
"""

import os
import select
import socket
import threading
from contextlib import suppress
from typing import Any

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created

from hubbub.process import primary_reads

# PostgreSQL has no default limits. The last one frees rows that a stopped process has locked.
# Longer than PostgreSQL's deadlock_timeout of 1 s: else both transactions of a deadlock may end by the first limit,
# and neither as a deadlock, after which one is run again.
POSTGRESQL_LIMITS = (
    "SET lock_timeout = '1500ms'; SET statement_timeout = '4s'; SET idle_in_transaction_session_timeout = '5s'"
)

IDLE = 0  # PQTRANS_IDLE of libpq: no transaction.

_local = threading.local()
# By ident of our threads: the psycopg connection.
_connections: dict[int, Any] = {}


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


def _set_limits(connection: BaseDatabaseWrapper, **_: object) -> None:
    if connection.vendor == "postgresql" and getattr(_local, "is_limited", False):
        _connections[threading.get_ident()] = connection.connection
        with connection.cursor() as cursor:
            cursor.execute(POSTGRESQL_LIMITS)


connection_created.connect(_set_limits, dispatch_uid="hubbub.threads")
