"""System checks of the number of connections that processes open on PostgreSQL."""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Warning, register
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connections

from hubbub import conf, threads

PSYCOPG_POOL_SIZE = 4  # The default of psycopg_pool.


@register("hubbub")
def check_database_pool(**_: Any) -> list[CheckMessage]:
    size, held = pool_size(), threads.held_connections()
    if size is None or size > held:
        return []
    return [
        Warning(
            f"DATABASES['default']: the pool has at most {size} connections, and the sockets of a process keep {held}.",
            hint="Pages and sockets then wait for one, and fail. Set OPTIONS['pool']['max_size'] to at least "
            f"{held + 1}, such as {held + 6}, or lower READER_THREADS, TOPIC_READER_THREADS and TOPIC_WRITER_THREADS "
            "of HUBBUB.",
            id="hubbub.W025",
        )
    ]


def check_server_connections(processes: int) -> list[CheckMessage]:
    """Compare the connections of so many processes with what PostgreSQL allows: `check` does not know their number.

    Nothing is known of a server behind a pooler, which has fewer connections than clients.
    """
    database: Any = connections[DEFAULT_DB_ALIAS]
    if database.vendor != "postgresql":
        return []
    try:
        with database.cursor() as cursor:
            cursor.execute(
                "SELECT pg_backend_pid(), current_setting('max_connections')::int"
                " - current_setting('superuser_reserved_connections')::int"
            )
            pid, allowed = cursor.fetchone()
        is_pooler = pid != database.connection.info.backend_pid
    except DatabaseError:
        return []  # Other parts report it.
    opened = processes * (pool_size() or threads.held_connections() + conf.settings.usable().max_requests_in_flight)
    if is_pooler or opened <= allowed:
        return []
    return [
        Warning(
            f"{processes} processes open up to {opened} connections to the database; PostgreSQL allows {allowed}.",
            hint="Pages and sockets fail beyond. Raise max_connections of PostgreSQL, use a smaller pool (in this "
            "repository's site HUBBUB_DATABASE_CONNECTIONS), or put a pooler in front.",
            id="hubbub.W026",
        )
    ]


def pool_size() -> int | None:
    """The most connections of the pool of the default database; None: it has no pool."""
    pool = settings.DATABASES[DEFAULT_DB_ALIAS].get("OPTIONS", {}).get("pool")
    if not pool:
        return None
    options = pool if isinstance(pool, dict) else {}
    return int(options.get("max_size") or options.get("min_size", PSYCOPG_POOL_SIZE))
