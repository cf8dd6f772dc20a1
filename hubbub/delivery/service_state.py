"""The service state that clients see: `ok`, or `degraded` while Redis is away and live updates are slow."""

import asyncio
import math
from typing import Literal

from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import Outbox, broadcast
from hubbub.process.pacing import in_slices
from hubbub.protocol import ServiceChanged, encode

# A restart of Redis takes less; a frame to every client would cost more than it is worth.
GRACE_SECONDS = 0.5
# After this process, others reconnect to Redis within 0.2 s, or 4 s after a hung connection; the rest is margin.
SETTLE_SECONDS = 6.0

State = Literal["ok", "degraded"]


class ServiceState:
    """The service state of one event loop."""

    def __init__(self) -> None:
        self.state: State = "ok"
        self._outboxes: dict[Outbox, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._announcing: asyncio.Task[None] | None = None
        self._announced: State = "ok"
        self._complete_from = 0.0  # In the loop's time.

    @property
    def may_miss(self) -> bool:
        """Whether messages of other processes may be lost: Redis is away, or came back just now."""
        return asyncio.get_running_loop().time() < self._complete_from

    def add(self, outbox: Outbox) -> None:
        """Send every change to this socket from now on. Send it `state` with no await in between."""
        self._outboxes[outbox] = None

    def remove(self, outbox: Outbox) -> None:
        self._outboxes.pop(outbox, None)

    def lost(self) -> None:
        """Note that Redis is away."""
        self._complete_from = math.inf
        if self._timer is None and self.state == "ok":
            self._timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._change, "degraded")

    def regained(self) -> None:
        """Note that Redis is back."""
        self._complete_from = asyncio.get_running_loop().time() + SETTLE_SECONDS
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._change("ok")

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._announcing is not None:
            self._announcing.cancel()
            await asyncio.gather(self._announcing, return_exceptions=True)

    def _change(self, state: State) -> None:
        self._timer = None
        self.state = state
        if self._announcing is None and state != self._announced:
            self._announcing = asyncio.create_task(self._announce())

    async def _announce(self) -> None:
        try:
            while self._announced != self.state:
                self._announced = self.state
                frames = Frames(encode(ServiceChanged(state=self._announced)))
                async for part in in_slices([*self._outboxes]):
                    # Skip sockets that closed between two slices.
                    broadcast(frames, [outbox for outbox in part if outbox in self._outboxes])
        finally:
            self._announcing = None
