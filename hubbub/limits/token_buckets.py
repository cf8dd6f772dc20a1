"""Rate limits in memory: token buckets, one per key, and strikes.

Local to this process, without tasks or timers.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable

MAX_KEYS = 10_000  # About 1 MB of addresses.
ROUNDING_SECONDS = 0.0001  # Float sums are not exact: the last token of a burst must not be refused.


class Buckets:
    """Token buckets by key. A full bucket needs no memory.

    Args:
        per_second: tokens that a bucket regains.
        burst: tokens of a full bucket.
        max_keys: buckets that are kept; the least recently used are dropped.
        clock: seconds that never go backwards.
    """

    __slots__ = ("_burst_seconds", "_clock", "_full_at", "_max_keys", "_seconds")

    def __init__(
        self,
        *,
        per_second: float,
        burst: float,
        max_keys: int = MAX_KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = 1 / per_second  # Until one token is back.
        self._burst_seconds = burst * self._seconds
        self._max_keys = max_keys
        self._clock = clock
        # When each bucket is full again, from which its content follows. The last used key is last.
        self._full_at: dict[Hashable, float] = {}

    def take(self, key: Hashable, tokens: float = 1) -> float:
        """Take tokens from the bucket of `key`, if there are enough.

        Returns:
            0.0, or the seconds until there are enough; nothing is taken then. More than `burst` tokens never are.
        """
        now = self._clock()
        wait = self._wait(key, tokens, now)
        if not wait:
            self._charge(key, tokens, now)
        return wait

    def wait(self, key: Hashable, tokens: float = 1) -> float:
        """The seconds that `take` would return, without taking."""
        return self._wait(key, tokens, self._clock())

    def charge(self, key: Hashable, tokens: float = 1) -> None:
        """Take tokens even if there are not enough, for usage that has happened already. Debt is capped at `burst`."""
        self._charge(key, tokens, self._clock())

    def give_back(self, key: Hashable, tokens: float = 1) -> None:
        """Give back tokens that were taken."""
        if (full_at := self._full_at.pop(key, None)) is not None:
            self._full_at[key] = full_at - tokens * self._seconds

    def __len__(self) -> int:
        """The number of buckets kept."""
        return len(self._full_at)

    def _wait(self, key: Hashable, tokens: float, now: float) -> float:
        full_at = self._full_at.get(key, now)
        wait = max(full_at, now) - now - (self._burst_seconds - tokens * self._seconds)
        return wait if wait > ROUNDING_SECONDS else 0.0

    def _charge(self, key: Hashable, tokens: float, now: float) -> None:
        full_at = max(self._full_at.pop(key, now), now) + tokens * self._seconds
        self._full_at[key] = min(full_at, now + 2 * self._burst_seconds)
        # Drop up to two per charge, so full buckets go without a scan.
        for _ in range(2):
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= self._max_keys:
                break
            del self._full_at[oldest]


class Strikes:
    """Counts strikes: `max_strikes` within `seconds` are too many."""

    __slots__ = ("_seconds", "_times")

    def __init__(self, max_strikes: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=max_strikes)

    def add(self) -> bool:
        """Count a strike. Returns whether it is one too many."""
        now = time.monotonic()
        self._times.append(now)
        return len(self._times) == self._times.maxlen and now - self._times[0] <= self._seconds
