"""The identity of this site on a shared Redis: the prefix of its channels and keys.

The prefix is HUBBUB["PREFIX"] or comes from an id in the database. A copied database has the same id, so a
lease holds the database's fingerprint under the prefix (`lease`). Every name in Redis comes from this module, which
raises a RedisError while Redis must not be used.
"""

import asyncio
import hashlib
import logging
import os
import secrets
import threading
from dataclasses import dataclass
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.models import F
from redis.exceptions import RedisError

from hubbub import conf

logger = logging.getLogger(__name__)

MARK_BYTES = 8
NO_MARK = bytes(MARK_BYTES)
RETRY_SECONDS = 0.5
IDENTIFY_SECONDS = 1.0


class PrefixError(RedisError):
    """Redis must not be used (yet). A RedisError, so it is handled like a Redis that is away."""


class PrefixUnknown(PrefixError):
    """The prefix has not been read from the database yet."""

    def __init__(self) -> None:
        super().__init__("the site's prefix is not known yet: the database that stores it cannot be read")


class PrefixTaken(PrefixError):
    """Another database holds the lease of the prefix."""

    def __init__(self, name: str) -> None:
        remedy = 'another HUBBUB["PREFIX"]' if configured_prefix() else 'an id of its own with "manage.py renew_site"'
        super().__init__(
            f"another database uses Redis under this site's prefix {name}. If it is a copy, give it {remedy}; if it "
            "was moved, stop the old processes"
        )


@dataclass(frozen=True, slots=True)
class Site:
    """`fingerprint`: of the database, empty until it is read. `mark`: the first bytes of every message."""

    prefix: str
    fingerprint: str = ""
    mark: bytes = NO_MARK


_site: Site | None = None
# The fingerprint of another database that holds our prefix.
_taken_by = ""
_lock = threading.Lock()
# Set by a server process, where the service `lease.hold` reads the identity.
is_served = False


def _forget_parents_lock() -> None:
    """In a child after a fork: a thread of the parent may have held the lock, and threads are not copied."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_parents_lock)


def configured_prefix() -> str:
    """Return HUBBUB["PREFIX"], or an empty text."""
    return conf.settings().prefix


def current() -> Site:
    """The site, as far as known. Raises PrefixUnknown before the database is read, unless a setting has the prefix."""
    global _site
    if _site is None:
        if not (text := configured_prefix()):
            raise PrefixUnknown
        _site = Site(text)
    return _site


def prefix() -> str:
    """The prefix of the site. Raises PrefixUnknown."""
    return current().prefix


def key(name: str) -> str:
    """The full name of a key. Raises PrefixUnknown or PrefixTaken: Redis must not be used."""
    if _taken_by:
        raise PrefixTaken(prefix())
    return f"{current().prefix}:{name}"


def check() -> None:
    """Raises PrefixUnknown or PrefixTaken if Redis must not be used."""
    if _taken_by or _site is None:
        key("")


def note_holder(fingerprint: str) -> None:
    """Note the fingerprint that holds our prefix in Redis; log when it changes to another database's and back."""
    global _taken_by
    foreign = fingerprint if fingerprint != current().fingerprint else ""
    if bool(foreign) == bool(_taken_by):
        return
    _taken_by = foreign
    if foreign:
        logger.error("Redis is not used: %s", PrefixTaken(prefix()))
    else:
        logger.warning("Redis is used again: the other database released the prefix %s", prefix())


def is_known() -> bool:
    """Whether the prefix is known."""
    return _site is not None or bool(configured_prefix())


def is_identified() -> bool:
    """Whether the fingerprint of the database is known, too."""
    return _site is not None and bool(_site.fingerprint)


def identify() -> Site:
    """Read the identity from the database, once per process. For threads. Raises the errors of the database."""
    global _site
    from hubbub.models import SiteIdentity

    with _lock:
        if _site is None or not _site.fingerprint:
            alias = router.db_for_write(SiteIdentity)
            name = configured_prefix() or f"hubbub-{_site_id(alias)}"
            fingerprint = fingerprint_of(alias)
            mark = hashlib.sha256(fingerprint.encode()).digest()[:MARK_BYTES] if fingerprint else NO_MARK
            _site = Site(name, fingerprint, mark)
        return _site


async def wait_until_known() -> None:
    """Wait until the prefix is known, as long as the database is away.

    In a server process `lease.hold` reads it; elsewhere this function does, with retries.
    """
    while not is_known():
        if is_served:
            await asyncio.sleep(RETRY_SECONDS / 5)
            continue
        await asyncio.to_thread(identify_if_possible)
        if not is_known():
            await asyncio.sleep(RETRY_SECONDS)


async def ready_to_publish() -> None:
    """Identify the site before sending. Raises PrefixUnknown if that fails."""
    if not is_known() and not is_served:
        # The database was away when the sender started.
        await asyncio.to_thread(identify_if_possible)
    current()


def identify_if_possible() -> None:
    """`identify`, but database errors are logged, and the thread keeps no connection."""
    try:
        identify()
    except DatabaseError as error:
        logger.warning("site: reading the site id from the database failed: %s", str(error).strip())
    finally:
        connections.close_all()


def identify_in_time() -> None:
    """`identify_if_possible`; with a prefix by setting it waits at most IDENTIFY_SECONDS. For threads."""
    if not configured_prefix():
        identify_if_possible()
        return
    reading = threading.Thread(target=identify_if_possible, name="site", daemon=True)
    try:
        reading.start()
    except RuntimeError:
        return  # The interpreter exits.
    reading.join(IDENTIFY_SECONDS)


def renew() -> str:
    """Give this site a new id. Returns the prefix that its processes use from their next start."""
    from hubbub.models import SiteIdentity

    site_id = secrets.token_hex(8)
    SiteIdentity.objects.update_or_create(pk=1, defaults={"site_id": site_id})
    return f"hubbub-{site_id}"


def rewrite_id() -> str:
    """Write the id again, unchanged: only a write shows that the database's disk is full. Returns an empty text."""
    from hubbub.models import SiteIdentity

    SiteIdentity.objects.filter(pk=1).update(site_id=F("site_id"))
    return ""


def fingerprint_of(alias: str) -> str:
    """A text that differs between this database and a copy; empty: none. For threads. Raises the database's errors.

    PostgreSQL: the cluster's system identifier and the database's oid; SQLite: the file's device and inode.
    """
    connection = connections[alias]
    if connection.vendor == "sqlite":
        try:
            file = os.stat(connection.settings_dict["NAME"])
        except OSError:
            return ""  # In memory, or not created yet.
        return f"sqlite:{file.st_dev}:{file.st_ino}"
    if connection.vendor != "postgresql":
        options = connection.settings_dict
        return f"{connection.vendor}:{options['HOST']}:{options['PORT']}:{options['NAME']}"
    oid = _scalar(connection, "SELECT oid FROM pg_database WHERE datname = current_database()")
    if _scalar(connection, "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'execute')"):
        system = _scalar(connection, "SELECT system_identifier FROM pg_control_system()")
    else:
        system = "-"  # Some hosting services withhold it.
    return f"postgresql:{system}:{oid}"


def _scalar(connection: Any, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _site_id(alias: str) -> str:
    """The site id, created by the first process of any host; inserts of the others do nothing."""
    from hubbub.models import SiteIdentity

    ids = SiteIdentity.objects.using(alias).values_list("site_id", flat=True)
    if (site_id := ids.first()) is None:
        SiteIdentity.objects.using(alias).bulk_create(
            [SiteIdentity(site_id=secrets.token_hex(8))], ignore_conflicts=True
        )
        site_id = ids.get()
    return site_id
