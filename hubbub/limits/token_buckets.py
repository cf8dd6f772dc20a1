"""How often somebody may do something: token buckets, one per key; and strikes, for who is out after so many.

Local to this process and without a clock of its own running: nothing waits, nothing is written, no task.
"""

import time
from collections import deque
from collections.abc import Callable, Hashable

MAX_KEYS = 10_000  # About 1 MB of addresses.
ROUNDING_SECONDS = 0.0001  # Sums of fractions are not exact: the last token of a burst must not be refused for that.


class Buckets:
    """Each key has `burst` tokens at first, and gets `per_second` of them back until it has `burst` again.

    A bucket that is full is as good as none, so only the others are kept: of at most `most_keys` keys, those that
    were used last. `clock` gives seconds that never go backwards.
    """

    __slots__ = ("_burst_seconds", "_clock", "_full_at", "_most_keys", "_seconds")

    def __init__(
        self,
        *,
        per_second: float,
        burst: float,
        most_keys: int = MAX_KEYS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = 1 / per_second  # Until one token is back.
        self._burst_seconds = burst * self._seconds
        self._most_keys = most_keys
        self._clock = clock
        # When each bucket will be full again, which says how much is in it at any time; the last used key comes last.
        self._full_at: dict[Hashable, float] = {}

    def take(self, key: Hashable, tokens: float = 1) -> float:
        """Take them; 0.0. When so many are not there, nothing is taken: the seconds until they will be.

        More than `burst` will never be.
        """
        now = self._clock()
        wait = self._wait(key, tokens, now)
        if not wait:
            self._charge(key, tokens, now)
        return wait

    def wait(self, key: Hashable, tokens: float = 1) -> float:
        """What `take` would return; nothing is taken."""
        return self._wait(key, tokens, self._clock())

    def charge(self, key: Hashable, tokens: float = 1) -> None:
        """Take them whether or not they are there: for what has happened already, here or elsewhere.

        Nobody comes to owe more than `burst`: the punishment ends when the deeds do.
        """
        self._charge(key, tokens, self._clock())

    def give_back(self, key: Hashable, tokens: float = 1) -> None:
        """What they were taken for does not count after all."""
        if (full_at := self._full_at.pop(key, None)) is not None:
            self._full_at[key] = full_at - tokens * self._seconds

    def __len__(self) -> int:
        """How many keys are kept."""
        return len(self._full_at)

    def _wait(self, key: Hashable, tokens: float, now: float) -> float:
        full_at = self._full_at.get(key, now)
        wait = max(full_at, now) - now - (self._burst_seconds - tokens * self._seconds)
        return wait if wait > ROUNDING_SECONDS else 0.0

    def _charge(self, key: Hashable, tokens: float, now: float) -> None:
        full_at = max(self._full_at.pop(key, now), now) + tokens * self._seconds
        self._full_at[key] = min(full_at, now + 2 * self._burst_seconds)
        # Two for the one that came: so what has been full for long goes without ever looking through all.
        for _ in range(2):
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= self._most_keys:
                break
            del self._full_at[oldest]


class Strikes:
    """Out after `most` within so many seconds."""

    __slots__ = ("_seconds", "_times")

    def __init__(self, most: int, seconds: float) -> None:
        self._seconds = seconds
        self._times: deque[float] = deque(maxlen=most)

    def add(self) -> bool:
        """Count one; whether this one is too many."""
        now = time.monotonic()
        self._times.append(now)
        return len(self._times) == self._times.maxlen and now - self._times[0] <= self._seconds
