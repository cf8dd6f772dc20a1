"""The site's Redis, for features: clients, names of keys, causes of errors, and a program beside the web processes.

Several sites may share one Redis. Names of keys come from `key`, and each connection checks before its use that no
other database has this site's prefix. All of it may be lost at any time: the database keeps what must not be.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from hubbub import conf, site
from hubbub.process import redis_client
from hubbub.process.redis_errors import cause_of
from hubbub.process.redis_keys import delete_on_wrong_kind, is_wrong_kind
from hubbub.site import lease

__all__ = [
    "RedisRefused",
    "cause_of",
    "claim",
    "connect",
    "connect_sync",
    "delete_on_wrong_kind",
    "holding",
    "is_wrong_kind",
    "key",
]

CANCEL_SECONDS = 0.1


class RedisRefused(Exception):
    """The program must not use this Redis. Its text is one sentence for the operator."""


def connect(*, seconds: float, retries: int = 0) -> Any:
    """Make an asyncio client of the site's Redis. Use it as a context, or close it by `aclose`.

    Args:
        seconds: the time limit of a connect, and of an answer.
        retries: immediate retries of a failed call. 1 survives pooled connections that died with Redis.

    Returns:
        `redis.asyncio.Redis`. Its calls raise `redis.exceptions.RedisError`, also while Redis must not be used, and
        `OSError`.
    """
    return redis_client.connect(
        conf.settings().redis_url, seconds=seconds, retries=retries, on_connect=lease.on_connect
    )


def connect_sync(*, seconds: float, retries: int = 0) -> Any:
    """Make a client for threads. `seconds` and `retries` are as for `connect`.

    Returns:
        `redis.Redis`. It is thread-safe.
    """
    return redis_client.connect_sync(
        conf.settings().redis_url, seconds=seconds, retries=retries, on_connect=lease.on_connect_sync
    )


def key(name: str) -> str:
    """Return the full name of a key: the site's prefix, a colon, and `name`, such as "monitor:epoch".

    Args:
        name: begins with the name of the app.

    Raises:
        redis.exceptions.RedisError: the prefix is not known yet, or another database uses it.
    """
    return site.key(name)


def claim() -> None:
    """Claim the site's prefix before a program starts, and wait up to 60 s for one that has ended. For threads.

    If the database or Redis is away, `holding` claims it when they are back.

    Raises:
        RedisRefused: living processes of another database use the prefix, or Redis is a cluster.
    """
    try:
        lease.claim_at_start()
    except lease.REFUSALS as error:
        raise RedisRefused(str(error)) from None


@asynccontextmanager
async def holding() -> AsyncIterator[None]:
    """A context that holds the site's prefix, for a program beside the web processes, which hold it themselves.

    The block is entered at once. Until the database has been read, calls to Redis raise.
    """
    site.is_served = True
    task = asyncio.create_task(lease.hold())
    try:
        yield
    finally:
        # Repeated: on Python 3.11 calls of redis-py sometimes swallow a cancellation.
        while not task.done():
            task.cancel()
            await asyncio.wait([task], timeout=CANCEL_SECONDS)
