"""The answer of `/readyz`: whether this process can serve, and which of its dependencies fails.

Concurrent probes share one check, so a flood of probes does not load the database or Redis.
"""

import asyncio
import errno
import functools
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
from django.db import connections
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from redis.exceptions import ResponseError

from hubbub import conf, site, threads
from hubbub.process import redis_client
from hubbub.process.draining import is_draining
from hubbub.process.per_loop import PerLoop
from hubbub.process.redis_errors import CLUSTER, cause_of
from hubbub.site.lease import is_cluster, on_connect

CHECK_SECONDS = 1.0
SHARED_SECONDS = 0.25
REDIS_KEY_MS = 10_000
# Migrations and a test write are checked at most this often while they succeed; a failure is checked again at once.
SLOW_CHECK_SECONDS = 10.0
# Less may not fit SQLite's write-ahead log (4 MiB before a checkpoint) and a new secret key.
MIN_FREE_BYTES = 4 << 20
OK = "ok"


class Readiness(msgspec.Struct, kw_only=True):
    """Public, so without addresses. Each part is `ok` or the reason of its failure.

    `state` is `ok`; `degraded` (no Redis or a full disk: events arrive late); `unavailable` (no database, its disk is
    full, or migrations are missing); or `draining` (the process is ending). The last two get 503.
    """

    state: str
    database: str
    redis: str
    migrations: str
    disk: str
    process: str


async def read(process: str) -> Readiness:
    """Return the readiness of this process, at most SHARED_SECONDS old."""
    return await _probe().read(process)


@dataclass(slots=True)
class Probe:
    """The checks of one event loop, and their last results."""

    redis: Any = None
    checked_at: float = float("-inf")
    checking: "asyncio.Task[tuple[str, ...]] | None" = None
    results: tuple[str, ...] = ()
    cached: dict[str, tuple[float, str]] = field(default_factory=dict)

    async def read(self, process: str) -> Readiness:
        if time.monotonic() - self.checked_at > SHARED_SECONDS:
            if self.checking is None:
                self.checking = asyncio.create_task(self._check())
            await asyncio.shield(self.checking)
        database, redis, migrations, disk = self.results
        if is_draining():
            state = "draining"
        elif (database, migrations) != (OK, OK):
            state = "unavailable"
        else:
            state = OK if (redis, disk) == (OK, OK) else "degraded"
        return Readiness(state=state, database=database, redis=redis, migrations=migrations, disk=disk, process=process)

    async def _check(self) -> tuple[str, ...]:
        try:
            self.results = tuple(
                await asyncio.gather(
                    _result_of(self._check_database(), _database_cause),
                    _result_of(self._check_redis(), cause_of),
                    self._check_cached("migrations", functools.partial(threads.read, pending_migrations)),
                    _check_disk(),
                )
            )
            self.checked_at = time.monotonic()
            return self.results
        finally:
            self.checking = None

    async def _check_database(self) -> None:
        await threads.check()
        problem = await self._check_cached("write", functools.partial(threads.write, site.rewrite_id))
        # A busy writer thread is no reason to route clients elsewhere; `threads.check` reports a failed one.
        if problem not in (OK, "timeout"):
            raise Problem(problem)

    async def _check_cached(self, name: str, check: Callable[[], Awaitable[str]]) -> str:
        """The result of `check`; an `ok` is cached for SLOW_CHECK_SECONDS."""
        until, result = self.cached.get(name, (0.0, ""))
        if result == OK and time.monotonic() < until:
            return result

        async def run() -> None:
            if text := await check():
                raise Problem(text)

        result = await _result_of(run(), _database_cause)
        self.cached[name] = time.monotonic() + SLOW_CHECK_SECONDS, result
        return result

    async def _check_redis(self) -> None:
        """Write a key, and check that Redis is not a cluster."""
        if self.redis is None:
            self.redis = redis_client.connect(
                conf.settings().redis_url, seconds=CHECK_SECONDS, retries=1, on_connect=on_connect
            )
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.info("cluster")
            pipe.set(site.key("readyz"), "1", px=REDIS_KEY_MS)
            info, written = await pipe.execute(raise_on_error=False)
        if isinstance(info, dict) and is_cluster(info):
            raise Problem(CLUSTER)
        if isinstance(written, Exception):
            raise written
        if isinstance(info, Exception) and not isinstance(info, ResponseError):
            raise info


class Problem(Exception):
    """A failed check; its text is the result."""


async def _result_of(check: Awaitable[None], describe: Callable[[BaseException], str]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except TimeoutError:
        return "timeout"
    except Problem as problem:
        return str(problem)
    except Exception as error:  # noqa: BLE001 - any error is a result
        return describe(error)
    return OK


def _database_cause(error: BaseException) -> str:
    cause = error.__cause__ or error
    text = str(cause).lower()
    if "disk is full" in text or "no space left" in text:
        return "disk full"
    if "readonly database" in text or "read-only transaction" in text:
        return "read-only"
    return type(cause).__name__


# In database threads


def pending_migrations() -> str:
    """Return the first unapplied migration and the count of others, as text; empty if all are applied."""
    applied = MigrationRecorder(connections[threads.databases()[0]]).applied_migrations().keys()
    missing = sorted(_newest_migrations() - applied)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{'.'.join(missing[0])} is not applied{more}" if missing else ""


@functools.cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


# Of this machine


async def _check_disk() -> str:
    try:
        return await asyncio.to_thread(disk_problem)
    except RuntimeError:
        return OK  # The interpreter is shutting down and starts no threads.


def disk_problem() -> str:
    """Return `ok`, or which folder of the site is on a full disk."""
    var_dir = conf.settings().var_dir
    # A folder that is not there yet stores nothing, neither does a site without one: see the check W010.
    folders = {"the data folder": var_dir} if var_dir is not None and var_dir.exists() else {}
    files = [connections[alias] for alias in threads.databases() if connections[alias].vendor == "sqlite"]
    for connection in files:
        name = "the database's folder" if connection is files[0] else f"the folder of the database {connection.alias}"
        folders[name] = Path(str(connection.settings_dict["NAME"])).parent
    for name, folder in folders.items():
        try:
            status = os.statvfs(folder)
        except OSError as error:
            return f"{name}: {errno.errorcode.get(error.errno or 0, 'unknown')}"
        if status.f_bavail * status.f_frsize < MIN_FREE_BYTES:
            return f"{name} is on a full disk"
    return OK


_probe = PerLoop(Probe)
