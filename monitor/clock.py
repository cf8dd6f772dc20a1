"""The monitor's clocks: a steady clock for schedules and spans, and rising times for samples."""

import time
from collections.abc import Callable

# The rate of sample times while their source is behind, until the source has caught up.
SLOW_PACE = 0.5
MIN_STEP_SECONDS = 0.001  # A chart needs times that differ; JavaScript's dates hold milliseconds.

Clock = Callable[[], float]

_ahead = time.time() - time.monotonic()


def steady() -> float:
    """The wall clock at the start of this program plus the monotonic time since then.

    Processes of one host share their beats, and setting the wall clock changes no wait and no span.
    """
    return time.monotonic() + _ahead


class SampleTimes:
    """UNIX times that rise from sample to sample, even if their source clock is set back."""

    def __init__(self, clock: Clock = steady) -> None:
        self._clock = clock
        self._last: tuple[float, float] | None = None

    def next(self, now: float) -> float:
        """The time of a sample made now; `now` is the time of the source clock."""
        passed_at = self._clock()
        if self._last is not None:
            last, read_at = self._last
            now = max(now, last + max(MIN_STEP_SECONDS, (passed_at - read_at) * SLOW_PACE))
        self._last = now, passed_at
        return now

    def follow(self, at: float) -> None:
        """Continue after the newest sample of another publisher, which has the time `at`."""
        if self._last is None or at > self._last[0]:
            self._last = at, self._clock()
