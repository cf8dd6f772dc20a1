"""What one socket still has to be sent: in order, bounded, never waited for by who puts it in.

On our server frames go straight to the connection (`RawOutbox`, `broadcast`); elsewhere through ASGI's `send`, which
may wait, so a writer task of the socket awaits it (`AsgiOutbox`).
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Protocol

from hubbub import conf
from hubbub.delivery.backlog import BACKLOG
from hubbub.delivery.frames import Frames, wire_bytes
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import CloseCode

# The key of `scope["extensions"]` under which our server offers a `Connection`.
EXTENSION = "hubbub.connection"

# The type of a message that our server puts before all others in a socket's inbox: this process ends.
DRAIN = "hubbub.drain"

# From the decision to close a socket to cutting it: for what it has still to be sent, and for its answer. A client that
# reads no more would otherwise be kept for ever.
CLOSE_SECONDS = 5.0
SLOW_READER_SECONDS = 2.0

# Between two parts of much that goes to many: whoever has more waiting than this gets so much time for it, for which
# the others wait as well.
PART_BYTES = 256 * 1024
PART_SECONDS = 1.0

# Stock daphne takes only codes of applications.
REPLACED_CODES = {
    CloseCode.FRAME_TOO_BIG: CloseCode.ABUSE,
    CloseCode.INTERNAL: CloseCode.OVERLOADED,
    CloseCode.RESTART: CloseCode.OVERLOADED,
}

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Connection(Protocol):
    """A server's connection that takes ready WebSocket frames. See hubbub.server."""

    is_open: bool
    # The transport has as much as it should: no more until it has drained.
    is_paused: bool

    def attach(self, outbox: "RawOutbox") -> None:
        """From now on keep the outbox's `send_now` true, and call its `drained`."""

    def write(self, frames: bytes) -> None:
        """Write behind what the transport has still to send."""

    def close(self, code: int, reason: str) -> None: ...

    def abort(self) -> None: ...

    @property
    def buffered_bytes(self) -> int: ...


class Outbox:
    """Frames for one socket. `put` and `close` never wait; past the bound the socket is closed with 4101."""

    __slots__ = ("_bound", "_closing", "backlog")

    # See RawOutbox; elsewhere there is no such way.
    send_now: Callable[[bytes], int] | None

    def __init__(self) -> None:
        self._bound = conf.settings().outbox_bytes
        self._closing: tuple[int, str] | None = None
        # What the process counts as waiting for this socket: see hubbub.delivery.backlog.
        self.backlog = 0

    @property
    def is_closing(self) -> bool:
        return self._closing is not None

    @property
    def waiting_bytes(self) -> int:
        """What is still to be sent; nothing of a socket that is being closed."""
        raise NotImplementedError

    def put(self, text: str) -> None:
        """Queue one frame. Past the bound everything queued is dropped and the socket is closed."""
        raise NotImplementedError

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        """The same for what goes to many. `latest`: it replaces what waits under this key."""
        raise NotImplementedError

    def put_rest(self, wire: bytes) -> None:
        """The rest of a frame of which `send_now` has sent a part."""
        raise NotImplementedError

    def close(self, code: int, reason: str, within_seconds: float = CLOSE_SECONDS) -> None:
        """Close the socket after what is queued, and cut it when that takes too long. Only the first call counts."""
        if self._closing is None:
            self._closing = (code, reason)
            asyncio.get_running_loop().call_later(within_seconds, self._abort)
            self._begin_close(code, reason)

    async def run(self) -> None:
        """The socket's writer, where it needs one."""

    def give_up(self) -> None:
        """Drop what waits, and close the socket as too slow."""
        if self._closing is None:
            COUNTERS.slow_readers += 1
            self._drop()
            self.close(CloseCode.SLOW_READER, "Slow reader", SLOW_READER_SECONDS)

    def _drop(self) -> None:
        raise NotImplementedError

    def _begin_close(self, code: int, reason: str) -> None:
        raise NotImplementedError

    def _abort(self) -> None:
        """Cut the connection; nothing happens when it has ended."""
        raise NotImplementedError


class RawOutbox(Outbox):
    """On our server. Empty and unused for as long as the client reads."""

    __slots__ = ("_bytes", "_connection", "_latest", "_queue", "send_now")

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        # The socket's own `send`; None: something stands before what is sent next, or nothing may be sent any more.
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
        elif self._closing is None:
            self._latest = self._latest or {}
            self._latest[latest] = frames.wire

    def put_rest(self, wire: bytes) -> None:
        """The rest of a frame, of which a part has been sent: it goes before everything else."""
        self._connection.write(wire)

    def _begin_close(self, code: int, reason: str) -> None:
        self.send_now = None
        if not self._queue:
            self._connection.close(code, reason)

    def recount(self) -> None:
        """Called when something was written that waits in the transport, and when the socket has ended."""
        is_kept = self._connection.is_open and self._closing is None
        waiting = self._bytes + self._connection.buffered_bytes if is_kept else 0
        if waiting != self.backlog:
            BACKLOG.set(self, waiting)

    def _drop(self) -> None:
        if self._queue is not None:
            self._queue.clear()
        self._queue = self._latest = None
        self._bytes = 0
        BACKLOG.set(self, 0)

    def drained(self) -> None:
        """Called when the transport has sent all it had."""
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
                pass  # Full, or gone: the transport finds out which.
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


class AsgiOutbox(Outbox):
    """On any other ASGI server: `run` sends what is queued."""

    send_now = None

    def __init__(self, send: Send, abort: Callable[[], object]) -> None:
        """`abort` ends a socket whose `send` never returns."""
        super().__init__()
        self._send = send
        self._abort_socket = abort
        self._frames: deque[tuple[str, int]] = deque()
        self._latest: dict[str, str] = {}
        self._bytes = 0
        self._wake = asyncio.Event()

    @property
    def waiting_bytes(self) -> int:
        return 0 if self.is_closing else self._bytes

    def put(self, text: str) -> None:
        self._put(text, len(text.encode()))

    def _put(self, text: str, size: int) -> None:
        if self._closing is not None:
            return
        self._bytes += size
        if self._bytes > self._bound:
            self.give_up()
            return
        self._frames.append((text, size))
        self._wake.set()
        BACKLOG.set(self, self._bytes)

    def _drop(self) -> None:
        self._frames.clear()
        self._latest.clear()
        self._bytes = 0
        BACKLOG.set(self, 0)

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        for text in frames.texts:
            if latest is None:
                self._put(text, len(text.encode()))
            elif self._closing is None:
                self._latest[latest] = text
                self._wake.set()

    def _begin_close(self, code: int, reason: str) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Send what is queued until the socket is closed or this is cancelled."""
        try:
            await self._run()
        finally:
            self._closing = self._closing or (CloseCode.INTERNAL, "")
            self._drop()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                text, size = self._frames.popleft()
                await self._send({"type": "websocket.send", "text": text})
                # Nothing is counted any more of what was dropped meanwhile.
                self._bytes = max(0, self._bytes - size)
                BACKLOG.set(self, self._bytes)
            while self._latest:
                key = next(iter(self._latest))
                await self._send({"type": "websocket.send", "text": self._latest.pop(key)})
            if self._closing is not None and not self._frames:
                await send_close(self._send, *self._closing)
                return

    def _abort(self) -> None:
        self._abort_socket()


async def send_close(send: Send, code: int, reason: str) -> None:
    """Close by ASGI, with another code where the server does not take this one."""
    try:
        await send({"type": "websocket.close", "code": code, "reason": reason})
    except Exception:
        if code not in REPLACED_CODES:
            raise
        await send({"type": "websocket.close", "code": REPLACED_CODES[code], "reason": reason})


async def send_denial(scope: dict[str, Any], send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    """Refuse a handshake with this HTTP status; stock daphne has only 403."""
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})


def outbox_for(scope: dict[str, Any], send: Send, abort: Callable[[], object]) -> Outbox:
    """The outbox of a socket: the fast one where the server offers its connection."""
    connection = (scope.get("extensions") or {}).get(EXTENSION)
    return RawOutbox(connection) if connection is not None else AsgiOutbox(send, abort)


async def wait_until_taken(outboxes: Iterable[Outbox]) -> None:
    """Wait a moment until those who read have room again: what is written as fast as it can be closes them as slow."""
    loop = asyncio.get_running_loop()
    by = loop.time() + PART_SECONDS
    await asyncio.sleep(0)
    # Looked at, not told: nothing more for the usual delivery to do.
    while any(one.waiting_bytes > PART_BYTES for one in outboxes) and loop.time() < by:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


def broadcast(frames: Frames, outboxes: Iterable[Outbox], latest: str | None = None) -> None:
    """Put `frames` into every outbox: with one system call each, where nothing is before them.

    `latest`: where something is before them, they take the place of what waits under this key.

    The hot path of the whole project. What stands here once per member is all that a delivery costs in Python:
    whatever is the same for all members belongs before the loop.
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
            outbox.put_frames(frames, latest)  # Full, or gone: the transport finds out which.
        else:
            if sent != size:
                outbox.put_rest(wire[sent:])
