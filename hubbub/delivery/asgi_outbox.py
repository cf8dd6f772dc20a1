"""The outbox of a socket on any ASGI server, and the ASGI messages that close or refuse a socket.

ASGI's `send` may wait, so a writer task of the socket awaits it.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from hubbub.delivery.backlog import BACKLOG
from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import DROPPED, EXTENSION, Outbox, RawOutbox
from hubbub.protocol import CloseCode

# Stock daphne accepts only application codes.
REPLACED_CODES = {
    CloseCode.FRAME_TOO_BIG: CloseCode.ABUSE,
    CloseCode.INTERNAL: CloseCode.OVERLOADED,
    CloseCode.RESTART: CloseCode.OVERLOADED,
}

# The key of `scope["extensions"]` under which a stream over HTTP has the class of its outbox.
OUTBOX_EXTENSION = "hubbub.outbox"

# The same under which our server offers the `Direct` of a request.
DIRECT_EXTENSION = "hubbub.direct"

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Direct(Protocol):
    """Writes the body of an answer past ASGI, whose messages cost a stream more than the write."""

    def is_clear(self) -> bool:
        """Whether a body has begun and no byte of it waits in this process."""

    def write_now(self, body: bytes) -> None:
        """Write a part of the body. Only if `is_clear`."""


class AsgiOutbox(Outbox):
    """For any other ASGI server: `run` sends the queued frames."""

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
            elif latest == DROPPED:
                if not self._frames:
                    self._put(text, len(text.encode()))
            elif self._closing is None:
                self._latest[latest] = text
                self._wake.set()

    def drop_latest(self, latest: str) -> None:
        self._latest.pop(latest, None)

    def _begin_close(self, code: int, reason: str) -> None:
        self._wake.set()

    async def run(self) -> None:
        """Send queued frames until the socket is closed or this is cancelled."""
        try:
            await self._run()
        finally:
            self._closing = self._closing or (CloseCode.INTERNAL, "")
            self._drop()

    async def _run(self) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            await self._send_all()
            if self._closing is not None and not self._frames:
                await send_close(self._send, *self._closing)
                return

    async def _send_all(self) -> None:
        while self._frames:
            text, size = self._frames.popleft()
            await self._send({"type": "websocket.send", "text": text})
            self._sent(size)
        while self._latest:
            key = next(iter(self._latest))
            await self._send({"type": "websocket.send", "text": self._latest.pop(key)})

    def _sent(self, size: int) -> None:
        # The queue may have been dropped during the send.
        self._bytes = max(0, self._bytes - size)
        BACKLOG.set(self, self._bytes)

    def _abort(self) -> None:
        self._abort_socket()


async def send_close(send: Send, code: int, reason: str) -> None:
    """Close by ASGI; with a replacement code if the server rejects this one."""
    try:
        await send({"type": "websocket.close", "code": code, "reason": reason})
    except Exception:
        if code not in REPLACED_CODES:
            raise
        await send({"type": "websocket.close", "code": REPLACED_CODES[code], "reason": reason})


async def send_denial(scope: dict[str, Any], send: Send, status: int, *headers: tuple[bytes, bytes]) -> None:
    """Refuse a handshake with this HTTP status; stock daphne supports only 403."""
    if "websocket.http.response" in (scope.get("extensions") or ()):
        await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b""})
    else:
        await send({"type": "websocket.close"})


def outbox_for(scope: dict[str, Any], send: Send, abort: Callable[[], object]) -> Outbox:
    """Make the outbox of a socket: RawOutbox if the server offers its connection, or one of an HTTP request's own."""
    extensions = scope.get("extensions") or {}
    if (connection := extensions.get(EXTENSION)) is not None:
        return RawOutbox(connection)
    if (make := extensions.get(OUTBOX_EXTENSION)) is not None:
        outbox: Outbox = make(send, abort)
        return outbox
    return AsgiOutbox(send, abort)
