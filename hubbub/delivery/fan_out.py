"""The fan-out of one group: frames to all its live members, one write at a time."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from hubbub.delivery.frames import Frames
from hubbub.delivery.member import Member
from hubbub.delivery.outbox import Outbox, broadcast
from hubbub.delivery.sequence import Spawn
from hubbub.process.metrics import COUNTERS
from hubbub.process.pacing import WriteBudget, in_slices

logger = logging.getLogger(__name__)


class FanOut:
    """Runs in one event loop.

    Args:
        name: of the group.
        spawn: starts a task that the hub owns.
        budget: writes of the whole process before the event loop gets a turn.
        on_end: called when a write in slices has ended.
    """

    __slots__ = ("_budget", "_name", "_on_end", "_spawn", "live", "running")

    def __init__(self, name: str, spawn: Spawn, budget: WriteBudget, on_end: Callable[[], None]) -> None:
        self._name = name
        self._spawn = spawn
        self._budget = budget
        self._on_end = on_end
        self.live: dict[Member, Outbox] = {}
        # A write in slices; the next write must wait for its end.
        self.running: asyncio.Task[None] | None = None

    def write(self, frames: Frames, latest: str | None = None) -> None:
        """Write to all live members: at once if the budget allows, else in slices with a turn of the loop between.

        Args:
            frames: encoded once for all.
            latest: in a full outbox they replace frames waiting under this key.
        """
        COUNTERS.deliveries += len(self.live) * len(frames.texts)
        if self._budget.has_room_for(len(self.live)):
            broadcast(frames, self.live.values(), latest)
        else:
            self.running = self._spawn(self._write_in_slices(frames, [*self.live.items()], latest))

    async def _write_in_slices(
        self, frames: Frames, members: Sequence[tuple[Member, Outbox]], latest: str | None
    ) -> None:
        try:
            async for part in in_slices(members):
                # Skip members that left between two slices.
                broadcast(frames, [outbox for member, outbox in part if member in self.live], latest)
        except Exception:
            # The next frame reveals the gap; the group must go on.
            logger.exception("group %s: delivery of a frame failed", self._name)
        finally:
            self.running = None
        self._on_end()

    def end(self) -> None:
        """Cancel the write in progress."""
        if self.running is not None:
            self.running.cancel()
