"""Twisted's reactor on an event loop with short turns and a monotonic clock.

Importing this module installs it. Import it before daphne, which uses the installed reactor.
"""

import asyncio
import math
import select
import selectors
import sys
import time
from typing import Any

from twisted.internet import asyncioreactor
from twisted.internet.main import installReactor

# Sockets served before timers, results of threads and deliveries run. asyncio's own loop serves all ready sockets: with
# two thousand handshakes at once everything else waits for all of them.
MAX_EVENTS = 64

if sys.platform == "linux":  # Elsewhere daphne installs its own.

    class BoundedSelector(selectors.EpollSelector):
        """An epoll selector that returns at most MAX_EVENTS. The kernel rotates them, so every socket gets its turn."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None:
                timeout = -1
            elif timeout <= 0:
                timeout = 0
            else:
                timeout = math.ceil(timeout * 1e3) * 1e-3  # Rounded up to the kernel's milliseconds.
            inner: Any = self  # A copy of the base method with a limit, which the base has no argument for.
            ready: list[tuple[selectors.SelectorKey, int]] = []
            try:
                polled = inner._selector.poll(timeout, MAX_EVENTS)
            except InterruptedError:
                return ready
            for fd, event in polled:
                if (key := inner._fd_to_key.get(fd)) is not None:
                    events = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
                    events |= selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
                    ready.append((key, events & key.events))
            return ready

    class Reactor(asyncioreactor.AsyncioSelectorReactor):  # type: ignore[misc]
        """With a monotonic clock: by Twisted's `time.time`, a clock set back an hour stops timers for an hour."""

        seconds = staticmethod(time.monotonic)

    if "twisted.internet.reactor" not in sys.modules:
        installReactor(Reactor(asyncio.SelectorEventLoop(BoundedSelector())))
