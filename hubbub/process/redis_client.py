"""Redis clients with bounded waits, for asyncio and for threads. A leaf.

A call to a Redis that hangs raises after `seconds`. Each caller says how often a call may be sent again: after a
failure it is not known whether the command was carried out.
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
    """An asyncio client.

    Args:
        url: `redis://`, `rediss://` or `unix://`.
        seconds: the longest wait for a connection, and for an answer.
        retries: how often a failed call is sent again, at once. 1 bears that a pooled connection dies with Redis.
        on_connect: awaited with each new connection before it is used; it may refuse by raising.

    Returns:
        `redis.asyncio.Redis`. Typed Any, since redis-py's types are those of both kinds of clients at once.
    """
    return AsyncRedis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=AsyncRetry(NoBackoff(), retries),
        redis_connect_func=on_connect,
    )


def connect_sync(url: str, *, seconds: float, retries: int = 0, on_connect: Callable[[Any], None] | None = None) -> Any:
    """As `connect`, for threads: `redis.Redis`."""
    return Redis.from_url(
        url,
        socket_timeout=seconds,
        socket_connect_timeout=seconds,
        retry=Retry(NoBackoff(), retries),
        redis_connect_func=on_connect,
    )
