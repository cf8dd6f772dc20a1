"""The unsent bytes of all sockets of this process, and their bound.

Only waiting bytes are counted: a socket that keeps up costs nothing here.
"""

from typing import Protocol

from hubbub import conf
from hubbub.process.metrics import COUNTERS

# Past the bound the slowest sockets are closed until this part is free, instead of one per frame.
FREED_PART = 0.1


class Waiting(Protocol):
    """A socket with unsent bytes. Only `Backlog` writes `backlog`."""

    backlog: int

    def give_up(self) -> None:
        """Drop the unsent bytes and close the socket as a slow reader."""


class Backlog:
    """Counts unsent bytes by socket."""

    def __init__(self) -> None:
        self.bytes = 0
        self._waiting: set[Waiting] = set()

    def set(self, waiting: Waiting, size: int) -> None:
        """Set the unsent bytes of one socket to `size`."""
        self.bytes += size - waiting.backlog
        waiting.backlog = size
        if size == 0:
            self._waiting.discard(waiting)
            return
        self._waiting.add(waiting)
        if self.bytes > (bound := conf.settings().backlog_bytes):
            self._free(bound)

    def _free(self, bound: int) -> None:
        for slowest in sorted(self._waiting, key=lambda waiting: waiting.backlog, reverse=True):
            if self.bytes <= bound * (1 - FREED_PART):
                return
            COUNTERS.limited["backlog_bytes"] += 1
            self.set(slowest, 0)
            slowest.give_up()


BACKLOG = Backlog()
