"""A fixed schedule: beats are multiples of a period on a steady clock, so they never drift."""

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable

from redis.exceptions import RedisError

from hubbub.redis import cause_of
from monitor.clock import steady

logger = logging.getLogger(__name__)

# A timer may fire this much too early: the beat keeps its number.
EARLY_SECONDS = 0.005
MAX_WAIT_SECONDS = 4.0
MAX_DOUBLINGS = 16  # Of the wait; past its bound by then. 2.0 ** 1024 would overflow.
CANCEL_SECONDS = 0.1


def number_at(now: float, period: float) -> int:
    """The number of the beat that `now` belongs to."""
    return math.floor((now + EARLY_SECONDS) / period)


def seconds_to_next(now: float, period: float, phase: float = 0.0) -> float:
    """Seconds from `now` to the next beat; beats are `phase` seconds after multiples of the period."""
    return (number_at(now - phase, period) + 1) * period + phase - now


async def repeat(work: Callable[[], Awaitable[None]], *, period: float, phase: float = 0.0, name: str) -> None:
    """Run `work` at once and on every beat until cancelled. Redis failures are logged once and retried later."""
    failures = 0
    while True:
        try:
            await work()
            if failures:
                logger.info("%s: Redis available again", name)
            failures = 0
        except (RedisError, OSError) as error:
            if not failures:
                logger.warning("%s: Redis unavailable, retrying: %s", name, cause_of(error))
            failures += 1
        wait = seconds_to_next(steady(), period, phase)
        backing_off = min(period * (2 ** min(failures, MAX_DOUBLINGS) - 1), MAX_WAIT_SECONDS) if failures else 0.0
        await asyncio.sleep(max(wait, backing_off))


async def cancel(task: "asyncio.Task[None]") -> None:
    """Cancel the task until it ends: on Python 3.11 calls of redis-py sometimes swallow a cancellation."""
    while not task.done():
        task.cancel()
        await asyncio.wait([task], timeout=CANCEL_SECONDS)
