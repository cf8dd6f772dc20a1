"""The lease of this site's prefix in Redis: the fingerprint of its database, kept for 60 s by all living processes.

It lies in Redis' database 0, also for a site that uses another number: channels have no such numbers. Each new
connection looks at it before it is used (`on_connect`), so it is checked whenever Redis is back.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connections
from redis.exceptions import RedisError, ResponseError

from hubbub import site, threads
from hubbub.process import redis_client
from hubbub.process.log_once import LogOnce
from hubbub.process.periodic import Periodic
from hubbub.process.redis_errors import CLUSTER, cause_of
from hubbub.protocol import Refused
from hubbub.site import PrefixTaken, Site

logger = logging.getLogger(__name__)

LEASE_MS = 60_000
RENEW_SECONDS = 5.0
TIMEOUT_SECONDS = 2.0
LOOK_SECONDS = 0.25
KEY = "site"


class ClusterRefused(RedisError):
    def __init__(self) -> None:
        super().__init__(f"REDIS_URL cannot be used: {CLUSTER}.")


# Why a start is refused, as one sentence.
REFUSALS = (PrefixTaken, ClusterRefused)

# On each connection


async def on_connect(connection: Any) -> None:
    """redis-py's `redis_connect_func`: authenticate as usual, then claim the prefix, or raise PrefixError."""
    await connection.on_connect()
    one = site.current()
    answers: list[Any] = []
    commands = _commands(one, connection.db)
    for command in commands:
        await connection.send_command(*command, check_health=False)
    for _ in commands:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    _judge(one, answers)


def on_connect_sync(connection: Any) -> None:
    """The same for a client that is not asynchronous."""
    connection.on_connect()
    one = site.current()
    answers: list[Any] = []
    commands = _commands(one, connection.db)
    for command in commands:
        connection.send_command(*command, check_health=False)
    for _ in commands:
        try:
            answers.append(connection.read_response())
        except ResponseError as error:
            answers.append(error)
    _judge(one, answers)


def _commands(one: Site, number: int) -> list[tuple[Any, ...]]:
    """What to ask on a connection to Redis' database `number`; nothing while our own fingerprint is not known."""
    if not one.fingerprint:
        return []
    name = _key(one)
    claim: list[tuple[Any, ...]] = [("SET", name, one.fingerprint, "NX", "PX", LEASE_MS), ("GET", name)]
    return [("SELECT", 0), *claim, ("SELECT", number)] if number else claim


def _judge(one: Site, answers: list[Any]) -> None:
    """Raise PrefixTaken when another fingerprint stands there. A SET that fails (no memory, read-only) claims nothing.

    Then nobody else holds the prefix either, and what Redis can still do is used.
    """
    if not answers:
        return
    holder = answers[1] if len(answers) == 2 else answers[2]
    if isinstance(holder, ResponseError):
        raise holder
    site.note_holder(holder.decode() if holder else one.fingerprint)
    site.check()


def _key(one: Site) -> str:
    return f"{one.prefix}:{KEY}"


# For the life of a process


async def hold() -> None:
    """The service of a process: read the site's identity as soon as the database can be read, then keep the lease."""
    redis = redis_client.connect(settings.REDIS_URL, seconds=TIMEOUT_SECONDS)
    redis.connection_pool.connection_kwargs["db"] = 0
    try:
        while not site.is_identified():
            try:
                await threads.read(site.identify)
            except (Refused, DatabaseError):
                await asyncio.sleep(site.RETRY_SECONDS)  # The threads have said so.
        log = LogOnce("site: renewing the lease of the prefix failed")
        # Quiet: the components that need Redis log its loss, and check the lease when they reconnect.
        await Periodic(partial(_hold_lease, redis), seconds=RENEW_SECONDS, log=log, quiet=(RedisError, OSError)).run()
    finally:
        await redis.aclose()


async def _hold_lease(redis: Any) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        site.note_holder(await _renew(redis, site.current()))


async def _renew(redis: Any, one: Site) -> str:
    """Keep the lease, or take it when it has ended. Whose fingerprint stands there."""
    name = _key(one)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.set(name, one.fingerprint, nx=True, px=LEASE_MS)
        pipe.get(name)
        _, found = await pipe.execute(raise_on_error=False)
        if isinstance(found, Exception):
            raise found
        holder = found.decode() if found else one.fingerprint
        if holder == one.fingerprint:
            await redis.pexpire(name, LEASE_MS)
    return str(holder)


# At the start


def claim_at_start(say: Callable[[str], None] = logger.warning) -> None:
    """Claim the prefix before anything is served. For a thread.

    Returns also when the database or Redis is away: both are looked at again when they come. Where another database's
    lease is not renewed, that one has moved or ended: waits for the end of the lease, at most 60 s.

    Raises: PrefixTaken when living processes of another database use the prefix; ClusterRefused.
    """
    try:
        one: Site | None = site.identify()
    except DatabaseError:
        one = None
    finally:
        connections.close_all()
    client = redis_client.connect_sync(settings.REDIS_URL, seconds=TIMEOUT_SECONDS, retries=3)
    client.connection_pool.connection_kwargs["db"] = 0
    with client:
        try:
            if _is_cluster(client):
                raise ClusterRefused
            if one is not None:
                _wait_for_lease(client, one, say)
        except REFUSALS:
            raise
        except RedisError as error:
            if cause_of(error) == CLUSTER:
                raise ClusterRefused from None


def is_cluster(told: dict[str, Any]) -> bool:
    """Whether `INFO cluster` tells of one."""
    return bool(int(told.get("cluster_enabled", 0)))


def _is_cluster(client: Any) -> bool:
    try:
        return is_cluster(client.info("cluster"))
    except ResponseError:
        return False  # The user may not ask; a Cluster then shows by its answers.


def _wait_for_lease(client: Any, one: Site, say: Callable[[str], None]) -> None:
    name = _key(one)
    left_ms: int | None = None
    told_at = time.monotonic() + RENEW_SECONDS + 4 * LOOK_SECONDS
    is_told = False
    while True:
        with client.pipeline(transaction=False) as pipe:
            pipe.set(name, one.fingerprint, nx=True, px=LEASE_MS).get(name).pttl(name)
            _, holder, now_ms = pipe.execute(raise_on_error=False)
        for answer in (holder, now_ms):
            if isinstance(answer, Exception):
                raise answer
        if holder is None or holder.decode() == one.fingerprint:
            return
        if left_ms is not None and now_ms > left_ms:
            raise PrefixTaken(one.prefix)
        left_ms = now_ms
        if not is_told and time.monotonic() > told_at:
            is_told = True
            say(
                f"prefix {one.prefix} is leased by another database, waiting {now_ms / 1000:.0f} s for its lease to end"
            )
        time.sleep(LOOK_SECONDS)
