"""Twisted's reactor for our server, on an event loop whose turns are short, and by a clock that cannot be set.

Importing this installs it. Import it before daphne, which takes the reactor that there is.
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

# Sockets that are served before timers, threads' answers and deliveries get their turn. asyncio's own loop serves all
# that are ready: when two thousand shake hands at once, everything else waits for the whole crowd.
MAX_EVENTS = 64

if sys.platform == "linux":  # Elsewhere daphne makes its own.

    class BoundedSelector(selectors.EpollSelector):
        """As its base, but tells of a few at a time. The kernel goes round, so that nobody is left out."""

        def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
            if timeout is None:
                timeout = -1
            elif timeout <= 0:
                timeout = 0
            else:
                timeout = math.ceil(timeout * 1e3) * 1e-3  # Rounded up to the kernel's milliseconds.
            inner: Any = self  # As the base does it, but for the bound: it has no way to be told one.
            ready: list[tuple[selectors.SelectorKey, int]] = []
            try:
                found = inner._selector.poll(timeout, MAX_EVENTS)
            except InterruptedError:
                return ready
            for fd, event in found:
                if (key := inner._fd_to_key.get(fd)) is not None:
                    events = selectors.EVENT_WRITE if event & ~select.EPOLLIN else 0
                    events |= selectors.EVENT_READ if event & ~select.EPOLLOUT else 0
                    ready.append((key, events & key.events))
            return ready

    class Reactor(asyncioreactor.AsyncioSelectorReactor):  # type: ignore[misc]
        """Twisted's own goes by `time.time`: set back by an hour, no timer fires for an hour."""

        seconds = staticmethod(time.monotonic)

    if "twisted.internet.reactor" not in sys.modules:
        installReactor(Reactor(asyncio.SelectorEventLoop(BoundedSelector())))
