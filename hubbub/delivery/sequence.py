"""The positions of one ordered group: frames are delivered in order, exactly once.

Missing frames, seen by a gap or by a comparison with the record, are read from the record.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from hubbub import conf
from hubbub.delivery.out_of_order import OutOfOrder
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import Refused

logger = logging.getLogger(__name__)

REPAIR_RETRY_SECONDS = 1.0

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]
# (position, text) in the order of delivery. Without a position: an event that has none. Without a text: a marker that
# everything up to the position was sent.
Deliverable = deque[tuple[int | None, str | None]]


class Receiver(Protocol):
    """The group that delivers the frames."""

    def flush(self) -> None:
        """Send deliverable frames."""

    def restart(self) -> None:
        """Positions were reset: drop deliverable frames and make the members start over."""

    def close(self, text: str, user_ids: None) -> None:
        """Close an ended group; `text` is its last frame."""

    async def wait_for_readers(self) -> None:
        """Return when the sockets of the members have room again."""


class Sequence:
    """The sequence of one group in one event loop. It appends to `deliverable`, the queue of the receiver."""

    def __init__(
        self, name: str, recovery: Recovery, spawn: Spawn, deliverable: Deliverable, receiver: Receiver
    ) -> None:
        self._name = name
        self.recovery = recovery
        self._spawn = spawn
        self._deliverable = deliverable
        self._receiver = receiver
        # Changes when the group is made anew or its database is restored.
        self._epoch = ""
        # Counts resets: answers to reads that began before a reset are dropped.
        self._generation = 0
        # Complete up to here; None: no member has read the group's state yet.
        self.position: int | None = None
        # The last known position of the record.
        self._recorded = 0
        self.out_of_order = OutOfOrder(name)
        self._gap_timer: asyncio.TimerHandle | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._repair_log = LogOnce(f"group {name}: repair failed")

    @property
    def local(self) -> StreamPosition | None:
        """The position of the group in this process; None: no member has read its state yet."""
        return (
            None if self.position is None else StreamPosition(self._epoch, self.position, generation=self._generation)
        )

    @property
    def is_incomplete(self) -> bool:
        """Whether frames are known to be missing."""
        return self.position is not None and (bool(self.out_of_order) or self._recorded > self.position)

    def enter_epoch(self, epoch: str) -> None:
        """Note the epoch of a state that a member has read."""
        if self._epoch and epoch != self._epoch:
            self.restart()  # Later comparisons could not see the change.
        self._epoch = epoch

    def begin(self, position: int) -> None:
        """Begin at `position`, where the first member has read the state."""
        self.position = position
        self.advance()

    def receive(self, position: int, text: str) -> None:
        """Take a frame from the channel layer."""
        if self.position is None or position > self.position:
            self.out_of_order.add(position, text)
            self.advance()

    def note(self, position: int) -> None:
        """A process published that the record has this position."""
        if position > max(self.position or 0, self._recorded):
            self._recorded = position  # Without a state yet: the first member may have read one before it.
            self.advance()

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        """Compare with the record and repair what is missing.

        Args:
            local: the position in this process before the record was read.
            recorded: the position on record; None: the record has no such group.
        """
        if local.generation != self._generation:
            return
        if recorded is None:
            self._begin_repair()  # Reads the last frame of the ended group.
        elif recorded.epoch != local.epoch or recorded.position < local.position:
            self.restart()
        elif self.position is not None and recorded.position > self.position:
            self._recorded = recorded.position
            self.advance()

    def restart(self) -> None:
        """Start over: the record was replaced, for example from a backup."""
        logger.warning("group %s: positions were reset, its sockets are closed to reconnect", self._name)
        self._generation += 1
        self._epoch, self.position, self._recorded = "", None, 0
        self.out_of_order.clear()
        self._receiver.restart()

    def end(self) -> None:
        """Cancel timers and tasks of a group without members."""
        if self._gap_timer is not None:
            self._gap_timer.cancel()
        if self._repairing is not None:
            self._repairing.cancel()

    def advance(self) -> None:
        """Move frames whose predecessors have all arrived to the delivery queue."""
        if self.position is None:
            return
        while (text := self.out_of_order.pop(self.position + 1)) is not None:
            self.position += 1
            self._deliverable.append((self.position, text))
        self.out_of_order.drop_up_to(self.position)
        if self.is_incomplete and self._gap_timer is None and self._repairing is None:
            # Two processes often publish in swapped order: the missing frame is probably on its way.
            wait = conf.settings().gap_ms / 1000
            self._gap_timer = asyncio.get_running_loop().call_later(wait, self._on_gap_timeout, self.position)

    def _on_gap_timeout(self, position: int) -> None:
        self._gap_timer = None
        if self.is_incomplete and self.position == position:
            self._begin_repair()
        else:
            self.advance()  # That gap has closed; a later one gets its own timer.

    def _begin_repair(self) -> None:
        if self.position is not None and self._repairing is None:
            self._repairing = self._spawn(self._repair())

    async def _repair(self) -> None:
        try:
            while self.position is not None and await self._repair_part(self.position):
                await self._receiver.wait_for_readers()
        finally:
            self._repairing = None
        self.advance()
        self._receiver.flush()

    async def _repair_part(self, position: int) -> bool:
        """Read one part from the record. Returns whether to go on: there is more, or the read failed."""
        COUNTERS.repairs += 1
        generation, recorded, waiting = self._generation, self._recorded, [*self.out_of_order]
        try:
            changes = await self.recovery.read_changes(self._name, position)
        except Refused:  # The threads have logged it, once for all groups.
            await asyncio.sleep(REPAIR_RETRY_SECONDS)
            return True
        except Exception as error:  # noqa: BLE001 - logged, and tried again
            self._repair_log.failed(repr(error))
            await asyncio.sleep(REPAIR_RETRY_SECONDS)
            return True
        self._repair_log.recovered()
        if generation != self._generation:
            return False  # The positions were reset meanwhile.
        if changes.closed is not None:
            self._receiver.close(changes.closed, None)
        elif changes.epoch is not None and changes.epoch != self._epoch:
            self.restart()  # Seen before the next comparison.
        else:
            if (before := self.position) is not None and changes.position > before:
                self._deliverable.extend(frame for frame in changes.frames if frame[0] > before)
                self._deliverable.append((changes.position, None))
                self.position = changes.position
                self._receiver.flush()
            if changes.more:
                return True
            self.out_of_order.drop_strays(waiting, changes.position)
            if self._recorded == recorded:  # Else a comparison has read it meanwhile.
                self._recorded = min(recorded, changes.position)
        return False
