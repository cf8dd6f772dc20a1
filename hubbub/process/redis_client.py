"""Redis clients with bounded waits, for asyncio and for threads. A leaf.

A call to a Redis that hangs raises after `seconds`. Retries are the caller's choice: after a failure it is unknown
whether Redis carried the command out.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from redis import Redis
from redis.asyncio import Redis as AsyncRedis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.retry import Retry


def connect(
    url: str, *, seconds: float, retries: int = 0, on_connect: Callable[[Any], Awaitable[None]] | None = None
) -> Any:
    """Make an asyncio client.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        seconds: the time limit of a connect, and of an answer.
        retries: immediate retries of a failed call. 1 survives pooled connections that died with Redis.
        on_connect: awaited with each new connection before it is used; it may refuse by raising.

    Returns:
        `redis.asyncio.Redis`, typed Any: redis-py's types mix both kinds of clients.
    """
    return AsyncRedis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=AsyncRetry(NoBackoff(), retries),
        redis_connect_func=on_connect,
    )


def connect_sync(url: str, *, seconds: float, retries: int = 0, on_connect: Callable[[Any], None] | None = None) -> Any:
    """Make a client for threads, `redis.Redis`. Arguments as for `connect`."""
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), retries),
        redis_connect_func=on_connect,
    )
