"""What this process keeps for sockets that do not read as fast as they are sent to: all of it, and its bound.

Only what waits is counted, so a socket that reads costs nothing here.
"""

from typing import Protocol

from hubbub import conf
from hubbub.process.metrics import COUNTERS

# Past the bound the slowest are closed until so much of it is free: not one of them for each frame that comes.
FREED_PART = 0.1


class Waiting(Protocol):
    """What one socket has still to be sent. `backlog` is written by the backlog only."""

    backlog: int

    def give_up(self) -> None:
        """Drop what waits, and close the socket as too slow."""


class Backlog:
    def __init__(self) -> None:
        self.bytes = 0
        self._waiting: set[Waiting] = set()

    def set(self, waiting: Waiting, size: int) -> None:
        """`size` bytes wait for the socket now."""
        self.bytes += size - waiting.backlog
        waiting.backlog = size
        if size == 0:
            self._waiting.discard(waiting)
            return
        self._waiting.add(waiting)
        if self.bytes > (bound := conf.settings().backlog_bytes):
            self._free(bound)

    def _free(self, bound: int) -> None:
        for one in sorted(self._waiting, key=lambda one: one.backlog, reverse=True):
            if self.bytes <= bound * (1 - FREED_PART):
                return
            COUNTERS.limited["backlog_bytes"] += 1
            self.set(one, 0)
            one.give_up()


BACKLOG = Backlog()
