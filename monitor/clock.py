"""The monitor's clocks: a steady one for schedules and spans, and the time that samples carry, which never falls."""

import time
from collections.abc import Callable

# While its source is behind, the time of samples goes at this part of the true pace until the source has caught up.
SLOW_PACE = 0.5
MIN_STEP_SECONDS = 0.001  # A chart needs times that differ; JavaScript's dates hold milliseconds.

Clock = Callable[[], float]

_ahead = time.time() - time.monotonic()


def steady() -> float:
    """The wall clock as it was when this program started, carried on by the monotonic one.

    So processes of one host beat together, and a wall clock that is set changes neither a wait nor a span.
    """
    return time.monotonic() + _ahead


class SampleTimes:
    """UNIX times that rise from sample to sample, also when their clock is set."""

    def __init__(self, clock: Clock = steady) -> None:
        self._clock = clock
        self._last: tuple[float, float] | None = None

    def next(self, now: float) -> float:
        """The time of a sample made now, when the source of times says `now`."""
        passed_at = self._clock()
        if self._last is not None:
            last, read_at = self._last
            now = max(now, last + max(MIN_STEP_SECONDS, (passed_at - read_at) * SLOW_PACE))
        self._last = now, passed_at
        return now

    def follow(self, at: float) -> None:
        """Another publisher's newest sample has this time."""
        if self._last is None or at > self._last[0]:
            self._last = at, self._clock()
