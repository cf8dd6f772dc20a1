"""The outbox of one socket: ordered, bounded, and `put` never waits.

On our server frames go straight to the connection (`RawOutbox`, `broadcast`). See `asgi_outbox` for other servers.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from hubbub import conf
from hubbub.delivery.backlog import BACKLOG
from hubbub.delivery.frames import Frames, wire_bytes
from hubbub.process.metrics import COUNTERS
from hubbub.process.pacing import give_turn
from hubbub.protocol import CloseCode

# The key of `scope["extensions"]` under which our server offers a `Connection`.
EXTENSION = "hubbub.connection"

# The type of the first message in a socket's inbox when this process shuts down.
DRAIN = "hubbub.drain"

# From a close to cutting the connection: time for the unsent frames and the client's answer. Without it a client that
# stops reading would be kept for ever.
CLOSE_SECONDS = 5.0
SLOW_READER_SECONDS = 2.0

# Between two parts of a long repair: while a socket has more unsent bytes than PART_BYTES, all wait up to PART_SECONDS.
PART_BYTES = 256 * 1024
PART_SECONDS = 1.0

# As `latest`: in a full outbox the frames are dropped.
DROPPED = ""


class Connection(Protocol):
    """A server's connection that takes ready WebSocket frames. See hubbub.server."""

    is_open: bool
    # The transport is full: no writes until it has drained.
    is_paused: bool

    def attach(self, outbox: "RawOutbox") -> None:
        """Keep the outbox's `send_now` up to date from now on, and call its `drained`."""

    def write(self, frames: bytes) -> None:
        """Write behind the unsent bytes of the transport."""

    def close(self, code: int, reason: str) -> None: ...

    def abort(self) -> None: ...

    @property
    def buffered_bytes(self) -> int: ...


class Outbox:
    """Frames for one socket. `put` and `close` never wait; past the bound the socket is closed with 4101."""

    __slots__ = ("_bound", "_closing", "backlog")

    # See RawOutbox; None on other servers.
    send_now: Callable[[bytes], int] | None

    def __init__(self) -> None:
        self._bound = conf.settings().outbox_bytes
        self._closing: tuple[int, str] | None = None
        # Unsent bytes as counted by hubbub.delivery.backlog.
        self.backlog = 0

    @property
    def is_closing(self) -> bool:
        return self._closing is not None

    @property
    def waiting_bytes(self) -> int:
        """Unsent bytes; 0 for a socket that is closing."""
        raise NotImplementedError

    def put(self, text: str) -> None:
        """Queue one frame. Past the bound, drop the queue and close the socket."""
        raise NotImplementedError

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        """Queue shared frames. `latest`: they replace frames waiting under this key; DROPPED: they do not wait."""
        raise NotImplementedError

    def put_rest(self, wire: bytes) -> None:
        """Send the rest of a frame that `send_now` sent in part."""
        raise NotImplementedError

    def close(self, code: int, reason: str, within_seconds: float = CLOSE_SECONDS) -> None:
        """Close the socket after the queued frames; cut it after `within_seconds`. Only the first call counts."""
        if self._closing is None:
            self._closing = (code, reason)
            asyncio.get_running_loop().call_later(within_seconds, self._abort)
            self._begin_close(code, reason)

    def drop_latest(self, latest: str) -> None:
        """Drop the frames that wait under this key."""
        raise NotImplementedError

    async def run(self) -> None:
        """The writer of the socket, if it needs one."""

    def give_up(self) -> None:
        """Drop unsent frames and close the socket as a slow reader."""
        if self._closing is None:
            COUNTERS.slow_readers += 1
            self._drop()
            self.close(CloseCode.SLOW_READER, "Slow reader", SLOW_READER_SECONDS)

    def _drop(self) -> None:
        raise NotImplementedError

    def _begin_close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    def _abort(self) -> None:
        """Cut the connection, if it is open."""
        raise NotImplementedError


class RawOutbox(Outbox):
    """For our server. Empty while the client keeps up."""

    __slots__ = ("_bytes", "_connection", "_latest", "_queue", "send_now")

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        # The socket's own `send`; None: frames are queued before the next one, or the socket is closing.
        self.send_now: Callable[[bytes], int] | None = None
        self._connection = connection
        self._queue: deque[bytes] | None = None
        self._latest: dict[str, bytes] | None = None
        self._bytes = 0
        connection.attach(self)

    @property
    def waiting_bytes(self) -> int:
        return 0 if self.is_closing else self._bytes + self._connection.buffered_bytes

    def put(self, text: str) -> None:
        self._put(wire_bytes(text))

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        if latest is None or not self._connection.is_paused:
            self._put(frames.wire)
        elif self._closing is None and latest != DROPPED:
            self._latest = self._latest or {}
            self._latest[latest] = frames.wire

    def drop_latest(self, latest: str) -> None:
        if self._latest is not None:
            self._latest.pop(latest, None)

    def put_rest(self, wire: bytes) -> None:
        """Send the rest of a frame before everything else."""
        self._connection.write(wire)

    def _begin_close(self, code: int, reason: str) -> None:
        self.send_now = None
        if not self._queue:
            self._connection.close(code, reason)

    def recount(self) -> None:
        """Update the backlog. Called when bytes wait in the transport, and when the socket has closed."""
        is_counted = self._connection.is_open and self._closing is None
        waiting = self._bytes + self._connection.buffered_bytes if is_counted else 0
        if waiting != self.backlog:
            BACKLOG.set(self, waiting)

    def _drop(self) -> None:
        if self._queue is not None:
            self._queue.clear()
        self._queue = self._latest = None
        self._bytes = 0
        BACKLOG.set(self, 0)

    def drained(self) -> None:
        """Called when the transport has sent all its bytes."""
        queue, connection = self._queue, self._connection
        while queue and not connection.is_paused:
            wire = queue.popleft()
            self._bytes -= len(wire)
            connection.write(wire)
        self.recount()
        if queue:
            return
        self._queue = None
        if self._closing is not None:
            connection.close(*self._closing)
        while self._latest and not connection.is_paused:
            connection.write(self._latest.pop(next(iter(self._latest))))

    def _put(self, wire: bytes) -> None:
        if self._closing is not None:
            return
        if self.send_now is not None:
            try:
                wire = wire[self.send_now(wire) :]
            except OSError:
                pass  # Full or closed: the transport finds out which.
            if not wire:
                return
        if not self._connection.is_paused:
            self._connection.write(wire)
            return
        if not self._connection.is_open:
            return
        if self._queue is None:
            self._queue = deque()
        self._bytes += len(wire)
        if self._bytes + self._connection.buffered_bytes > self._bound:
            self.give_up()
        else:
            self._queue.append(wire)
            self.recount()

    def _abort(self) -> None:
        self._connection.abort()


async def wait_for_room(outboxes: Iterable[Outbox]) -> None:
    """Wait up to PART_SECONDS until all outboxes have room: unpaced writes would close readers as slow."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PART_SECONDS
    await give_turn()
    # Polled: a notification would cost the hot path.
    while any(outbox.waiting_bytes > PART_BYTES for outbox in outboxes) and loop.time() < deadline:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def broadcast(frames: Frames, outboxes: Iterable[Outbox], latest: str | None = None) -> None:
    """Put `frames` into every outbox, with one system call each where nothing is queued before them.

    The hot path of the project: the loop body is the cost of a delivery in Python, so keep work out of it.

    Args:
        frames: encoded once for all.
        outboxes: of the receivers.
        latest: in a full outbox they replace frames waiting under this key.
    """
    wire = frames.wire
    size = len(wire)
    for outbox in outboxes:
        send_now = outbox.send_now
        if send_now is None:
            outbox.put_frames(frames, latest)
            continue
        try:
            sent = send_now(wire)
        except OSError:
            outbox.put_frames(frames, latest)  # Full or closed: the transport finds out which.
        else:
            if sent != size:
                outbox.put_rest(wire[sent:])
