"""What one socket still has to be sent: in order, bounded, never waited for by who puts it in."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any

from realtime import conf
from realtime.metrics import COUNTERS
from realtime.protocol import CloseCode

# How long a socket that is closed for not reading may take to see its close frame.
SLOW_READER_SECONDS = 2.0

# Stock daphne takes only codes of applications.
REPLACED_CODES = {CloseCode.FRAME_TOO_BIG: CloseCode.ABUSE, CloseCode.RESTART: CloseCode.OVERLOADED}

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Outbox:
    """Frames for one socket, sent by `run`, the socket's writer.

    On a server whose `send` waits for a slow reader, frames gather here; past the bound the socket is closed with 4101.
    """

    def __init__(self, send: Send, abort: Callable[[], object]) -> None:
        """`abort` ends a socket whose `send` never returns."""
        self._send = send
        self._abort = abort
        self._frames: deque[str] = deque()
        self._latest: dict[str, str] = {}
        self._bytes = 0
        self._bound = conf.settings().outbox_bytes
        self._wake = asyncio.Event()
        self._closing: tuple[int, str] | None = None

    def put(self, text: str) -> None:
        """Queue one frame. Past the bound everything queued is dropped and the socket is closed."""
        if self._closing is not None:
            return
        self._bytes += len(text)
        if self._bytes > self._bound:
            COUNTERS.slow_readers += 1
            self._frames.clear()
            self.close(CloseCode.SLOW_READER, "Slow reader")
            asyncio.get_running_loop().call_later(SLOW_READER_SECONDS, self._abort)
            return
        self._frames.append(text)
        self._wake.set()

    def put_latest(self, key: str, text: str) -> None:
        """Queue a frame that replaces the one of the same `key` that has not been sent yet."""
        if self._closing is None:
            self._latest[key] = text
            self._wake.set()

    def close(self, code: int, reason: str) -> None:
        """Close the socket after what is queued. Only the first call counts."""
        if self._closing is None:
            self._closing = (code, reason)
            self._wake.set()

    @property
    def is_closing(self) -> bool:
        return self._closing is not None

    async def run(self) -> None:
        """Send what is queued until the socket is closed or this is cancelled."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._frames:
                text = self._frames.popleft()
                await self._send({"type": "websocket.send", "text": text})
                self._bytes -= len(text)
            while self._latest:
                key = next(iter(self._latest))
                await self._send({"type": "websocket.send", "text": self._latest.pop(key)})
            if self._closing is not None and not self._frames:
                await self._send_close(*self._closing)
                return

    async def _send_close(self, code: int, reason: str) -> None:
        try:
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
        except Exception:
            if code not in REPLACED_CODES:
                raise
            await self._send({"type": "websocket.close", "code": REPLACED_CODES[code], "reason": reason})
