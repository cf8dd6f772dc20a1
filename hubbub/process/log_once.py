"""Log an outage once: a line when it begins, a line when it ends, however many failures lie between."""

import logging
import time

logger = logging.getLogger(__name__)

QUIET_SECONDS = 10.0


class LogOnce:
    """The outage of one component. For one thread.

    Args:
        subject: the failing component; each line begins with it.
    """

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._failures = 0
        self._began_at = 0.0
        self._failed_at = float("-inf")
        self._is_logged = False

    @property
    def is_failing(self) -> bool:
        """Whether an outage lasts."""
        return self._failures > 0

    def failed(self, problem: object, *, with_traceback: bool = False) -> None:
        """Log `problem`, unless a failure was logged within QUIET_SECONDS: a flapping component fills no log either."""
        now = time.monotonic()
        if not self._failures:
            self._began_at, self._is_logged = now, False
        if now - self._failed_at > QUIET_SECONDS:
            self._is_logged = True
            logger.warning("%s: %s", self._subject, problem, exc_info=with_traceback)
        self._failed_at = now
        self._failures += 1

    def recovered(self) -> None:
        """Log the recovery, if the outage was logged."""
        if not self._failures:
            return
        failures, self._failures = self._failures, 0
        if self._is_logged:
            seconds = time.monotonic() - self._began_at
            logger.warning("%s: recovered after %.1f s, failures: %d", self._subject, seconds, failures)
