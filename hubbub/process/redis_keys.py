"""Keys of ours in Redis that somebody else has written to. A leaf."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from redis.exceptions import ResponseError

# Of Redis' own messages: another type; no number, or the last one; a stream that takes no more entries.
WRONG_KINDS = ("WRONGTYPE", "not an integer", "would overflow", "exhausted the last possible ID")

logger = logging.getLogger(__name__)


def is_wrong_kind(error: BaseException) -> bool:
    """Whether a command met a value of another kind than ours, which no trying again changes."""
    return isinstance(error, ResponseError) and any(sign in str(error) for sign in WRONG_KINDS)


@asynccontextmanager
async def cleared_of(redis: Any, *keys: str) -> AsyncIterator[None]:
    """Delete `keys` when a command finds a value of another kind there: all of them may be lost at any time.

    The error is raised all the same: the next try finds them gone.
    """
    try:
        yield
    except ResponseError as error:
        if is_wrong_kind(error):
            logger.warning("Redis: key deleted, unexpected value type: %s: %s", ", ".join(keys), str(error)[:200])
            await redis.unlink(*keys)
        raise
