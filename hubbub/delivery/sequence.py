"""The positions of one ordered group: frames leave it in order, none twice and none left out.

A frame that is missing is read from the record, and so is everything that a comparison with the record finds missing.
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
# Frames in the order in which they are sent: (position, text). No position: an event that has none. No text: all up to
# the position has been sent.
Deliverable = deque[tuple[int | None, str | None]]


class Receiver(Protocol):
    """The group that the frames are for."""

    def flush(self) -> None:
        """Send what is deliverable."""

    def restart(self) -> None:
        """The positions mean nothing any more: forget what was deliverable, and have the members start over."""

    def close(self, text: str, user_ids: None) -> None:
        """The group has ended; `text` is its last frame."""

    async def wait_for_readers(self) -> None:
        """Return when the members have taken what they were sent."""


class Sequence:
    """Of one group in one event loop. `deliverable` is the receiver's; this appends to it."""

    def __init__(
        self, name: str, recovery: Recovery, spawn: Spawn, deliverable: Deliverable, receiver: Receiver
    ) -> None:
        self._name = name
        self.recovery = recovery
        self._spawn = spawn
        self._deliverable = deliverable
        self._receiver = receiver
        # Positions of another epoch mean nothing: the room was made anew, or its database restored.
        self._epoch = ""
        # How often that has happened: an answer to what was asked before means nothing either.
        self._generation = 0
        # Nothing is missing up to here; None: no member has read the group's state yet.
        self.position: int | None = None
        # The record is known to have come as far as this.
        self._recorded = 0
        self.out_of_order = OutOfOrder(name)
        self._gap_timer: asyncio.TimerHandle | None = None
        self._repairing: asyncio.Task[None] | None = None
        self._repair_log = LogOnce(f"group {name}: repair failed")

    @property
    def local(self) -> StreamPosition | None:
        """How far this process has the group; None: no member has read its state yet."""
        return (
            None if self.position is None else StreamPosition(self._epoch, self.position, generation=self._generation)
        )

    @property
    def is_incomplete(self) -> bool:
        return self.position is not None and (bool(self.out_of_order) or self._recorded > self.position)

    def enter_epoch(self, epoch: str) -> None:
        """A member has read the group's state in this epoch."""
        if self._epoch and epoch != self._epoch:
            self.restart()  # From now on no comparison would find it.
        self._epoch = epoch

    def begin(self, position: int) -> None:
        """The first member has read the state at `position`: all up to here is known."""
        self.position = position
        self.advance()

    def receive(self, position: int, text: str) -> None:
        """A frame has come from the channel layer."""
        if self.position is None or position > self.position:
            self.out_of_order.add(position, text)
            self.advance()

    def compare(self, local: StreamPosition, recorded: StreamPosition | None) -> None:
        """Find what is missing.

        Args:
            local: how far this process was before the record was read.
            recorded: how far the record is; None: it has no such group.
        """
        if local.generation != self._generation:
            return
        if recorded is None:
            self._begin_repair()  # It will say how it ended.
        elif recorded.epoch != local.epoch or recorded.position < local.position:
            self.restart()
        elif self.position is not None and recorded.position > self.position:
            self._recorded = recorded.position
            self.advance()

    def restart(self) -> None:
        """The record is another one, from a backup perhaps: whoever has the old one's state has to start over."""
        logger.warning("group %s: positions were reset, its sockets are closed to reconnect", self._name)
        self._generation += 1
        self._epoch, self.position, self._recorded = "", None, 0
        self.out_of_order.clear()
        self._receiver.restart()

    def end(self) -> None:
        """The group has no members any more."""
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
            # Two processes publish swapped all the time: the missing one is most likely under way.
            wait = conf.settings().gap_ms / 1000
            self._gap_timer = asyncio.get_running_loop().call_later(wait, self._gap_is_due, self.position)

    def _gap_is_due(self, position: int) -> None:
        self._gap_timer = None
        if self.is_incomplete and self.position == position:
            self._begin_repair()
        else:
            self.advance()  # That gap has closed; a later one gets its own time.

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
        """Whether there is more to repair, or to try again."""
        COUNTERS.repairs += 1
        generation, recorded, waiting = self._generation, self._recorded, [*self.out_of_order]
        try:
            changes = await self.recovery.read_changes(self._name, position)
        except Refused:  # The threads have logged it, once for all groups.
            await asyncio.sleep(REPAIR_RETRY_SECONDS)
            return True
        except Exception as error:  # noqa: BLE001 - whatever the record raises: tried again
            self._repair_log.failed(repr(error))
            await asyncio.sleep(REPAIR_RETRY_SECONDS)
            return True
        self._repair_log.worked()
        if generation != self._generation:
            return False  # It was asked for positions that mean nothing any more.
        if changes.closed is not None:
            self._receiver.close(changes.closed, None)
        elif changes.epoch is not None and changes.epoch != self._epoch:
            self.restart()  # Found before a comparison has.
        else:
            if (before := self.position) is not None and changes.position > before:
                self._deliverable.extend((at, text) for at, text in changes.frames if at > before)
                self._deliverable.append((changes.position, None))
                self.position = changes.position
                self._receiver.flush()
            if changes.more:
                return True
            self.out_of_order.drop_strays(waiting, changes.position)
            if self._recorded == recorded:  # Else a comparison has read it since.
                self._recorded = min(recorded, changes.position)
        return False
