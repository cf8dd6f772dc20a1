"""This site among others on one Redis: the prefix of its channels and keys, and the lease that guards it.

The prefix is the setting REDIS_PREFIX, or comes from an id in the database. Since a copy of a database has the same id,
each connection first looks whose fingerprint stands under the prefix (hubbub.site.lease). Every use of Redis asks
this module for a name: it raises while Redis must not be used, and that is handled as a Redis that is away.
"""

import asyncio
import hashlib
import logging
import os
import re
import secrets
import threading
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import Error as DatabaseError
from django.db import connections, router
from django.db.models import F
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

# No underscore, dot or colon: these separate the prefix from what follows in the names of channels and keys.
VALID_PREFIX = re.compile(r"[A-Za-z0-9-]{1,40}")
MARK_BYTES = 8
NO_MARK = bytes(MARK_BYTES)
RETRY_SECONDS = 0.5
IDENTIFY_SECONDS = 1.0


class PrefixError(RedisError):
    """Redis must not be used (yet). A RedisError, so that it is handled as a Redis that is away."""


class PrefixUnknown(PrefixError):
    def __init__(self) -> None:
        super().__init__("the site's prefix is not known yet: the database that stores it cannot be read")


class PrefixTaken(PrefixError):
    def __init__(self, name: str) -> None:
        way = "another HUBBUB_PREFIX" if configured_prefix() else 'an id of its own with "manage.py renew_site"'
        super().__init__(
            f"another database uses Redis under this site's prefix {name}. If it is a copy, give it {way}; if it "
            "was moved, stop the old processes"
        )


@dataclass(frozen=True, slots=True)
class Site:
    """`fingerprint`: of the database, empty while it has not been read; `mark`: what frames begin with."""

    prefix: str
    fingerprint: str = ""
    mark: bytes = NO_MARK


_site: Site | None = None
# The fingerprint of another database that stands under our prefix.
_taken_by = ""
_lock = threading.Lock()
# Set by a server process: a service of its own reads the identity, and nothing else needs to.
is_served = False


def _forget_parents_lock() -> None:
    """In a child, right after the fork: a thread of the parent may have held it, and does not come along."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_parents_lock)


def configured_prefix() -> str:
    """The setting REDIS_PREFIX, or empty. ImproperlyConfigured for what cannot be one."""
    text = str(getattr(settings, "REDIS_PREFIX", "") or "")
    if text and not VALID_PREFIX.fullmatch(text):
        raise ImproperlyConfigured(f"HUBBUB_PREFIX={text!r} is invalid: use 1 to 40 letters, digits or hyphens.")
    return text


def current() -> Site:
    """What is known of this site. PrefixUnknown before the database was read, unless a setting tells the prefix."""
    global _site
    if _site is None:
        if not (text := configured_prefix()):
            raise PrefixUnknown
        _site = Site(text)
    return _site


def prefix() -> str:
    return current().prefix


def key(name: str) -> str:
    """The name of a key in Redis. PrefixUnknown, or PrefixTaken: Redis must not be used."""
    if _taken_by:
        raise PrefixTaken(prefix())
    return f"{current().prefix}:{name}"


def check() -> None:
    """PrefixUnknown, or PrefixTaken: Redis must not be used."""
    if _taken_by or _site is None:
        key("")


def note_holder(fingerprint: str) -> None:
    """`fingerprint` stands under our prefix in Redis. Logs when it begins and ends to be another database's."""
    global _taken_by
    others = fingerprint if fingerprint != current().fingerprint else ""
    if bool(others) == bool(_taken_by):
        return
    _taken_by = others
    if others:
        logger.error("Redis is not used: %s", PrefixTaken(prefix()))
    else:
        logger.warning("Redis is used again: the other database released the prefix %s", prefix())


def is_known() -> bool:
    """Whether the prefix is known, so that channels can be used."""
    return _site is not None or bool(configured_prefix())


def is_identified() -> bool:
    """Whether the fingerprint of the database is known as well."""
    return _site is not None and bool(_site.fingerprint)


def identify() -> Site:
    """Read the site's identity from the database, once per process. For a thread. Raises Django's database errors."""
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


async def known() -> None:
    """Return when the prefix is known. In a server process its own service reads it; elsewhere this does, and retries.

    May wait for ever: for as long as the database is away.
    """
    while not is_known():
        if is_served:
            await asyncio.sleep(RETRY_SECONDS / 5)
            continue
        await asyncio.to_thread(identify_if_possible)
        if not is_known():
            await asyncio.sleep(RETRY_SECONDS)


async def ready_to_publish() -> None:
    """For a sender: Redis may be used when this returns. PrefixUnknown if not."""
    if not is_known() and not is_served:
        # It could not be read when the sender began.
        await asyncio.to_thread(identify_if_possible)
    current()


def identify_if_possible() -> None:
    """`identify` for a thread that must not keep a connection; logs that the database cannot be read."""
    try:
        identify()
    except DatabaseError as error:
        logger.warning("site: reading the site id from the database failed: %s", str(error).strip())
    finally:
        connections.close_all()


def identify_in_time() -> None:
    """`identify_if_possible`, but a prefix by setting does not wait for a database that is away. For a thread."""
    if not configured_prefix():
        identify_if_possible()
        return
    reading = threading.Thread(target=identify_if_possible, name="site", daemon=True)
    try:
        reading.start()
    except RuntimeError:
        return  # The interpreter ends.
    reading.join(IDENTIFY_SECONDS)


def renew() -> str:
    """Give this site another id: the prefix that its processes have from their next start."""
    from hubbub.models import SiteIdentity

    site_id = secrets.token_hex(8)
    SiteIdentity.objects.update_or_create(pk=1, defaults={"site_id": site_id})
    return f"hubbub-{site_id}"


def write_itself() -> str:
    """Write the row of the id as it is, and return nothing: by no less does a full disk of the database show."""
    from hubbub.models import SiteIdentity

    SiteIdentity.objects.filter(pk=1).update(site_id=F("site_id"))
    return ""


def fingerprint_of(alias: str) -> str:
    """What tells this database from a copy of it; empty if nothing does. For a thread. Raises Django's database errors.

    PostgreSQL: the cluster's system identifier and the database's oid; SQLite: the file's device and inode.
    """
    connection = connections[alias]
    if connection.vendor == "sqlite":
        try:
            found = os.stat(connection.settings_dict["NAME"])
        except OSError:
            return ""  # In memory, or not there yet.
        return f"sqlite:{found.st_dev}:{found.st_ino}"
    if connection.vendor != "postgresql":
        told = connection.settings_dict
        return f"{connection.vendor}:{told['HOST']}:{told['PORT']}:{told['NAME']}"
    oid = _one(connection, "SELECT oid FROM pg_database WHERE datname = current_database()")
    if _one(connection, "SELECT has_function_privilege('pg_catalog.pg_control_system()', 'execute')"):
        system = _one(connection, "SELECT system_identifier FROM pg_control_system()")
    else:
        system = "-"  # Some hosting services withhold it.
    return f"postgresql:{system}:{oid}"


def _one(connection: Any, query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchone()[0]


def _site_id(alias: str) -> str:
    """The id, made by whichever process of any host is first: the insert of all others does nothing."""
    from hubbub.models import SiteIdentity

    ids = SiteIdentity.objects.using(alias).values_list("site_id", flat=True)
    if (found := ids.first()) is None:
        SiteIdentity.objects.using(alias).bulk_create(
            [SiteIdentity(site_id=secrets.token_hex(8))], ignore_conflicts=True
        )
        found = ids.get()
    return found
