"""Runs requested re-checks, and re-checks everything regularly."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Iterable
from typing import Generic, TypeVar

from hubbub import conf
from hubbub.protocol import Refused

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0

K = TypeVar("K", bound=Hashable)


class Revalidator(Generic[K]):
    """Runs requested re-checks at once, retries failed ones, and re-checks everything at each sweep.

    Args:
        check: re-checks the given keys, or all for None.
        sweeps: whether it re-checks everything regularly.
    """

    def __init__(self, check: Callable[[set[K] | None], Awaitable[None]], *, sweeps: bool = True) -> None:
        self._check = check
        self._sweeps = sweeps
        self._due: set[K] = set()
        self._are_all_due = False
        self._requested = asyncio.Event()
        # Number of requests: a caller compares it before and after to see whether there were any.
        self.requests = 0

    def request(self, keys: Iterable[K] | None) -> None:
        """Request a re-check of these keys, or of all for None."""
        if keys is None:
            self._are_all_due = True
        else:
            self._due |= set(keys)
        self.requests += 1
        self._requested.set()

    async def run(self) -> None:
        """Run until cancelled. Not a `Periodic`: a sweep is due by the last sweep, not by the last round."""
        failing = False
        loop = asyncio.get_running_loop()
        sweep_at = loop.time() + conf.settings().revalidate_seconds
        while True:
            try:
                async with asyncio.timeout_at(sweep_at if self._sweeps else None):
                    await self._requested.wait()
            except TimeoutError:
                pass
            # Not only on a timeout: frequent requests must not delay the sweep.
            if self._sweeps and loop.time() >= sweep_at:
                self._are_all_due = True
            if self._are_all_due:
                sweep_at = loop.time() + conf.settings().revalidate_seconds
            self._requested.clear()
            due, self._due = (None if self._are_all_due else self._due), set()
            self._are_all_due = False
            try:
                await self._check(due)
                failing = False
            except Exception as error:  # noqa: BLE001 - logged, and tried again
                # Refused: the threads have logged that the database is away.
                if not failing and not isinstance(error, Refused):
                    logger.warning("authorization re-check failed: %r", error)
                failing = True
                await asyncio.sleep(RETRY_SECONDS)
                self.request(due)
