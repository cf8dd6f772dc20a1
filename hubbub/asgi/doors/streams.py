"""The streams of one event loop: their heartbeats, their end with the process, and commands from other processes."""

import asyncio
import math
from collections.abc import Callable
from typing import Protocol

from hubbub import conf
from hubbub.process.draining import is_draining, on_drain
from hubbub.process.metrics import COUNTERS
from hubbub.process.pacing import in_slices
from hubbub.process.per_loop import PerLoop
from hubbub.runtime import runtime

# At the end of the process, as for sockets: all at once, clients would come back to the others in the same moment.
SPREAD_SECONDS = 5.0
BATCH_SECONDS = 0.1
MIN_BATCH = 20


class AnyStream(Protocol):
    """A stream whose user is signed in."""

    name: str

    def take(self, user_id: str, text: str) -> None: ...

    def drain(self) -> None: ...

    def beat(self) -> None: ...


class Streams:
    """One timer for all."""

    def __init__(self) -> None:
        self._streams: dict[str, AnyStream] = {}
        self._beating: asyncio.Task[None] | None = None
        on_drain(self._drain)

    def add(self, stream: AnyStream) -> None:
        """Add a stream that has begun."""
        self._streams[stream.name] = stream
        COUNTERS.streams += 1
        runtime().hub.streams[stream.name] = stream.take
        if self._beating is None:
            self._beating = asyncio.create_task(self._beat())
        if is_draining():
            stream.drain()

    def remove(self, stream: AnyStream) -> None:
        """Remove a stream, if it is there."""
        if self._streams.pop(stream.name, None) is not None:
            COUNTERS.streams -= 1
            runtime().hub.streams.pop(stream.name, None)

    def _drain(self) -> None:
        batch = max(MIN_BATCH, math.ceil(len(self._streams) * BATCH_SECONDS / SPREAD_SECONDS))
        loop = asyncio.get_running_loop()
        for number, stream in enumerate(self._streams.values()):
            loop.call_later(number // batch * BATCH_SECONDS, stream.drain)

    async def _beat(self) -> None:
        while self._streams:
            await asyncio.sleep(conf.settings().heartbeat_seconds / 2)
            async for part in in_slices([*self._streams.values()]):
                for stream in part:
                    stream.beat()
        self._beating = None


# Of the running event loop.
streams: Callable[[], Streams] = PerLoop(Streams)
