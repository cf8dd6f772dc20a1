"""The lease of the site's prefix in Redis: the fingerprint of its database, renewed for 60 s by all processes.

It is always in Redis' database 0, because channels have no database numbers. Each new
connection checks it before use (`on_connect`), so it is checked whenever Redis is back.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import Error as DatabaseError
from django.db import connections
from redis.exceptions import RedisError, ResponseError

from hubbub import conf, site, threads
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
POLL_SECONDS = 0.25
KEY = "site"


class ClusterRefused(RedisError):
    """The configured Redis is a Redis Cluster."""

    def __init__(self) -> None:
        super().__init__(f'HUBBUB["REDIS_URL"] cannot be used: {CLUSTER}.')


# Errors that refuse a start; each text is one sentence.
REFUSALS = (PrefixTaken, ClusterRefused)

# On each connection


async def on_connect(connection: Any) -> None:
    """redis-py's `redis_connect_func`: authenticate, then claim the prefix. Raises PrefixError."""
    await connection.on_connect()
    own = site.current()
    answers: list[Any] = []
    commands = _commands(own, connection.db)
    for command in commands:
        await connection.send_command(*command, check_health=False)
    for _ in commands:
        try:
            answers.append(await connection.read_response())
        except ResponseError as error:
            answers.append(error)
    _check_holder(own, answers)


def on_connect_sync(connection: Any) -> None:
    """As `on_connect`, for synchronous clients."""
    connection.on_connect()
    own = site.current()
    answers: list[Any] = []
    commands = _commands(own, connection.db)
    for command in commands:
        connection.send_command(*command, check_health=False)
    for _ in commands:
        try:
            answers.append(connection.read_response())
        except ResponseError as error:
            answers.append(error)
    _check_holder(own, answers)


def _commands(own: Site, number: int) -> list[tuple[Any, ...]]:
    """The claim, on a connection to Redis' database `number`; empty while our own fingerprint is unknown."""
    if not own.fingerprint:
        return []
    name = _key(own)
    claim: list[tuple[Any, ...]] = [("SET", name, own.fingerprint, "NX", "PX", LEASE_MS), ("GET", name)]
    return [("SELECT", 0), *claim, ("SELECT", number)] if number else claim


def _check_holder(own: Site, answers: list[Any]) -> None:
    """Raise PrefixTaken if another fingerprint holds the prefix.

    A failed SET (out of memory, read-only) is ignored: the prefix is free, and Redis still serves other commands.
    """
    if not answers:
        return
    holder = answers[1] if len(answers) == 2 else answers[2]
    if isinstance(holder, ResponseError):
        raise holder
    site.note_holder(holder.decode() if holder else own.fingerprint)
    site.check()


def _key(own: Site) -> str:
    return f"{own.prefix}:{KEY}"


# For the life of a process


async def hold() -> None:
    """The service of a server process: identify the site once the database is up, then renew the lease."""
    redis = redis_client.connect(conf.settings().redis_url, seconds=TIMEOUT_SECONDS)
    redis.connection_pool.connection_kwargs["db"] = 0
    try:
        while not site.is_identified():
            try:
                await threads.read(site.identify)
            except (Refused, DatabaseError):
                await asyncio.sleep(site.RETRY_SECONDS)  # The threads have logged it.
        log = LogOnce("site: renewing the lease of the prefix failed")
        # Quiet: the components that need Redis log its loss, and check the lease when they reconnect.
        await Periodic(partial(_hold_lease, redis), seconds=RENEW_SECONDS, log=log, quiet=(RedisError, OSError)).run()
    finally:
        await redis.aclose()


async def _hold_lease(redis: Any) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        site.note_holder(await _renew(redis, site.current()))


async def _renew(redis: Any, own: Site) -> str:
    """Renew the lease, or take an expired one. Returns the fingerprint that holds the prefix."""
    name = _key(own)
    async with redis.pipeline(transaction=False) as pipe:
        pipe.set(name, own.fingerprint, nx=True, px=LEASE_MS)
        pipe.get(name)
        _, answer = await pipe.execute(raise_on_error=False)
        if isinstance(answer, Exception):
            raise answer
        holder = answer.decode() if answer else own.fingerprint
        if holder == own.fingerprint:
            await redis.pexpire(name, LEASE_MS)
    return str(holder)


# At the start


def claim_at_start(say: Callable[[str], None] = logger.warning) -> None:
    """Claim the prefix before the process serves anything. For threads.

    If the database or Redis is away, the claim follows when they are back. If another database holds a lease that is
    not renewed, its processes have ended: wait for the end of the lease, at most 60 s.

    Args:
        say: called with one line when the wait is long.

    Raises:
        PrefixTaken: living processes of another database use the prefix.
        ClusterRefused: the configured Redis is a Redis Cluster.
    """
    try:
        identified: Site | None = site.identify()
    except DatabaseError:
        identified = None
    finally:
        connections.close_all()
    client = redis_client.connect_sync(conf.settings().redis_url, seconds=TIMEOUT_SECONDS, retries=3)
    client.connection_pool.connection_kwargs["db"] = 0
    with client:
        try:
            if _is_cluster(client):
                raise ClusterRefused
            if identified is not None:
                _wait_for_lease(client, identified, say)
        except REFUSALS:
            raise
        except RedisError as error:
            if cause_of(error) == CLUSTER:
                raise ClusterRefused from None


def is_cluster(info: dict[str, Any]) -> bool:
    """Whether `INFO cluster` describes a cluster."""
    return bool(int(info.get("cluster_enabled", 0)))


def _is_cluster(client: Any) -> bool:
    try:
        return is_cluster(client.info("cluster"))
    except ResponseError:
        return False  # No permission; a cluster then shows by its replies.


def _wait_for_lease(client: Any, own: Site, say: Callable[[str], None]) -> None:
    name = _key(own)
    previous_ms: int | None = None
    say_at = time.monotonic() + RENEW_SECONDS + 4 * POLL_SECONDS
    has_said = False
    while True:
        with client.pipeline(transaction=False) as pipe:
            pipe.set(name, own.fingerprint, nx=True, px=LEASE_MS).get(name).pttl(name)
            _, holder, left_ms = pipe.execute(raise_on_error=False)
        for answer in (holder, left_ms):
            if isinstance(answer, Exception):
                raise answer
        if holder is None or holder.decode() == own.fingerprint:
            return
        if previous_ms is not None and left_ms > previous_ms:
            raise PrefixTaken(own.prefix)
        previous_ms = left_ms
        if not has_said and time.monotonic() > say_at:
            has_said = True
            say(f"prefix {own.prefix} is leased by another database, waiting {left_ms / 1000:.0f} s for it to end")
        time.sleep(POLL_SECONDS)
