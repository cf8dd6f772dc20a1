"""Whether live updates are fast, as this process's clients are told: `ok`, or `degraded` while Redis is away."""

import asyncio
from typing import Literal

from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import Outbox, broadcast
from hubbub.protocol import ServiceChanged, encode

# A restart of Redis takes less: a word to every client would cost more than it tells them.
GRACE_SECONDS = 0.5
SOCKETS_PER_TURN = 400

State = Literal["ok", "degraded"]


class ServiceState:
    """Of one event loop."""

    def __init__(self) -> None:
        self.state: State = "ok"
        self._outboxes: dict[Outbox, None] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._telling: asyncio.Task[None] | None = None
        self._told: State = "ok"

    def add(self, outbox: Outbox) -> None:
        """Tell this socket of every change from now on. Send it `state` without waiting for anything in between."""
        self._outboxes[outbox] = None

    def remove(self, outbox: Outbox) -> None:
        self._outboxes.pop(outbox, None)

    def lost(self) -> None:
        """Redis is away."""
        if self._timer is None and self.state == "ok":
            self._timer = asyncio.get_running_loop().call_later(GRACE_SECONDS, self._change, "degraded")

    def regained(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._change("ok")

    async def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._telling is not None:
            self._telling.cancel()
            await asyncio.gather(self._telling, return_exceptions=True)

    def _change(self, state: State) -> None:
        self._timer = None
        self.state = state
        if self._telling is None and state != self._told:
            self._telling = asyncio.create_task(self._tell())

    async def _tell(self) -> None:
        try:
            while self._told != self.state:
                self._told = self.state
                frames = Frames(encode(ServiceChanged(state=self._told)))
                outboxes = [*self._outboxes]
                for start in range(0, len(outboxes), SOCKETS_PER_TURN):
                    one_slice = outboxes[start : start + SOCKETS_PER_TURN]
                    broadcast(frames, [one for one in one_slice if one in self._outboxes])
                    await asyncio.sleep(0)
        finally:
            self._telling = None
