"""One line in the log for something that fails, however often it does, and one when it works again."""

import logging
import time

logger = logging.getLogger(__name__)

QUIET_SECONDS = 10.0


class LogOnce:
    """`subject` is what may fail, as the log calls it. Use it from one thread."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._failures = 0
        self._began_at = 0.0
        self._failed_at = float("-inf")
        self._is_told = False

    @property
    def is_on(self) -> bool:
        return self._failures > 0

    def failed(self, problem: object) -> None:
        """Say it, unless something failed within the last QUIET_SECONDS: what comes and goes fills no log either."""
        now = time.monotonic()
        if not self._failures:
            self._began_at, self._is_told = now, False
        if now - self._failed_at > QUIET_SECONDS:
            self._is_told = True
            logger.warning("%s: %s", self._subject, problem)
        self._failed_at = now
        self._failures += 1

    def worked(self) -> None:
        """Say that it is over, if it was said that it began."""
        if not self._failures:
            return
        failures, self._failures = self._failures, 0
        if self._is_told:
            seconds = time.monotonic() - self._began_at
            logger.warning("%s: works again after %.1f s, in which %d failed", self._subject, seconds, failures)
