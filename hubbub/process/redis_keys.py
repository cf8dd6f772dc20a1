"""Our keys in Redis that another program has overwritten. A leaf."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import ResponseError

# Parts of Redis' error replies: another type; not a number, or out of range; a stream that is exhausted.
WRONG_KINDS = ("WRONGTYPE", "not an integer", "would overflow", "exhausted the last possible ID")

logger = logging.getLogger(__name__)


def is_wrong_kind(error: BaseException) -> bool:
    """Whether the error says that a key has a value of an unexpected type, so that a retry cannot succeed."""
    return isinstance(error, ResponseError) and any(sign in str(error) for sign in WRONG_KINDS)


@asynccontextmanager
async def delete_on_wrong_kind(redis: Any, *keys: str) -> AsyncIterator[None]:
    """A context that deletes `keys` after a command met an unexpected type: their data may be lost at any time.

    The error is still raised; a retry then finds the keys gone. `redis`: an asyncio client.
    """
    try:
        yield
    except ResponseError as error:
        if is_wrong_kind(error):
            logger.warning("Redis: key deleted, unexpected value type: %s: %s", ", ".join(keys), str(error)[:200])
            await redis.unlink(*keys)
        raise
