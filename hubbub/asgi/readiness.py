"""What `/readyz` says: whether this process can serve, and what of its surroundings fails, by its name.

Many who ask at once share one look, so that a flood of probes costs the database and Redis nothing.
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
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from redis.exceptions import ResponseError

from hubbub import site, threads
from hubbub.process import redis_client
from hubbub.process.draining import is_draining
from hubbub.process.per_loop import PerLoop
from hubbub.process.redis_errors import CLUSTER, cause_of
from hubbub.site.lease import is_cluster, on_connect

CHECK_SECONDS = 1.0
SHARED_SECONDS = 0.25
REDIS_KEY_MS = 10_000
# Applied migrations, and whether a row can be written, are looked at this often at most; sooner after a failure.
SLOW_CHECK_SECONDS = 10.0
# Below it SQLite's log of writes (4 MiB before it is worked in) and a new secret key may not fit.
MIN_FREE_BYTES = 4 << 20
OK = "ok"


class Readiness(msgspec.Struct, kw_only=True):
    """Open to all: no addresses in it. Each part is `ok`, or why not.

    `state`: `ok`; `degraded` (no Redis, or a full disk: everything is served, some of it late); `unavailable` (the
    database, its disk, or migrations that were not applied); `draining`: this process ends. The last two are 503.
    """

    state: str
    database: str
    redis: str
    migrations: str
    disk: str
    process: str


async def read(process: str) -> Readiness:
    """How this process is; at most SHARED_SECONDS old."""
    return await _probe().read(process)


@dataclass(slots=True)
class Probe:
    """Of one event loop."""

    redis: Any = None
    read_at: float = float("-inf")
    reading: "asyncio.Task[tuple[str, ...]] | None" = None
    found: tuple[str, ...] = ()
    lasting: dict[str, tuple[float, str]] = field(default_factory=dict)

    async def read(self, process: str) -> Readiness:
        if time.monotonic() - self.read_at > SHARED_SECONDS:
            if self.reading is None:
                self.reading = asyncio.create_task(self._look())
            await asyncio.shield(self.reading)
        database, redis, migrations, disk = self.found
        if is_draining():
            state = "draining"
        elif (database, migrations) != (OK, OK):
            state = "unavailable"
        else:
            state = OK if (redis, disk) == (OK, OK) else "degraded"
        return Readiness(state=state, database=database, redis=redis, migrations=migrations, disk=disk, process=process)

    async def _look(self) -> tuple[str, ...]:
        try:
            self.found = tuple(
                await asyncio.gather(
                    _verdict(self._ask_database(), _database_cause),
                    _verdict(self._ask_redis(), cause_of),
                    self._lasting("migrations", functools.partial(threads.read, pending_migrations)),
                    _disk(),
                )
            )
            self.read_at = time.monotonic()
            return self.found
        finally:
            self.reading = None

    async def _ask_database(self) -> None:
        await threads.check()
        problem = await self._lasting("write", functools.partial(threads.write, site.write_itself))
        # A writer that has much to do is no reason to send clients elsewhere; one that fails is seen above.
        if problem not in (OK, "timeout"):
            raise Problem(problem)

    async def _lasting(self, name: str, check: Callable[[], Awaitable[str]]) -> str:
        """The result of `check`, kept while it is `ok`."""
        until, found = self.lasting.get(name, (0.0, ""))
        if found == OK and time.monotonic() < until:
            return found
        found = OK

        async def ask() -> None:
            if text := await check():
                raise Problem(text)

        found = await _verdict(ask(), _database_cause)
        self.lasting[name] = time.monotonic() + SLOW_CHECK_SECONDS, found
        return found

    async def _ask_redis(self) -> None:
        """Write, as everything that uses Redis does, and ask whether it is one that can be used at all."""
        if self.redis is None:
            self.redis = redis_client.connect(
                settings.REDIS_URL, seconds=CHECK_SECONDS, retries=1, on_connect=on_connect
            )
        async with self.redis.pipeline(transaction=False) as pipe:
            pipe.info("cluster")
            pipe.set(site.key("readyz"), "1", px=REDIS_KEY_MS)
            told, written = await pipe.execute(raise_on_error=False)
        if isinstance(told, dict) and is_cluster(told):
            raise Problem(CLUSTER)
        if isinstance(written, Exception):
            raise written
        if isinstance(told, Exception) and not isinstance(told, ResponseError):
            raise told


class Problem(Exception):
    """Already in words."""


async def _verdict(check: Awaitable[None], words: Callable[[BaseException], str]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except TimeoutError:
        return "timeout"
    except Problem as problem:
        return str(problem)
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return words(error)
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
    """Migrations of this code that the database does not have, in words; empty when there are none."""
    applied = MigrationRecorder(connection).applied_migrations().keys()
    missing = sorted(_newest_migrations() - applied)
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{'.'.join(missing[0])} is not applied{more}" if missing else ""


@functools.cache
def _newest_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.leaf_nodes())


# Of this machine


async def _disk() -> str:
    try:
        return await asyncio.to_thread(disk_problem)
    except RuntimeError:
        return OK  # At the very end there are no threads any more.


def disk_problem() -> str:
    """`ok`, or which folder of the site's has no room left."""
    # Without VAR_DIR nothing of the engine's is kept: see the check W010.
    folders = {"the data folder": Path(settings.VAR_DIR)} if getattr(settings, "VAR_DIR", None) else {}
    if connection.vendor == "sqlite":
        folders["the database's folder"] = Path(str(connection.settings_dict["NAME"])).parent
    for name, folder in folders.items():
        try:
            found = os.statvfs(folder)
        except OSError as error:
            return f"{name}: {errno.errorcode.get(error.errno or 0, 'unknown')}"
        if found.f_bavail * found.f_frsize < MIN_FREE_BYTES:
            return f"{name} is on a full disk"
    return OK


_probe = PerLoop(Probe)
