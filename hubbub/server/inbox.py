"""The frames that a socket's consumer has not received yet: bounded in frames and bytes, without memory while empty."""

import asyncio
import sys
from collections import deque
from collections.abc import Callable
from typing import Any

from hubbub.process.metrics import COUNTERS

# Frames that wait for the consumer.
MAX_UNREAD = 64
# Their memory, without the first frame. The frame that crosses the limit is still accepted.
UNREAD_BYTES = 64 * 1024


class Inbox:
    """A queue that pauses its socket when full. The socket is read again when the consumer has emptied the queue."""

    __slots__ = ("_bytes", "_getter", "_messages", "_resume", "_transport", "is_full")

    def __init__(self, transport: Any, resume: Callable[[], None] = lambda: None) -> None:
        """`resume` is called when the queue is empty again, before the socket is read."""
        self._transport = transport
        self._resume = resume
        self.is_full = False
        self._bytes = 0
        self._messages: deque[dict[str, Any]] | None = None
        self._getter: asyncio.Future[None] | None = None

    def put_nowait(self, message: dict[str, Any]) -> None:
        if self._messages is None:
            self._messages = deque((message,))
        else:
            self._messages.append(message)
            self._bytes += sys.getsizeof(message.get("text") or message.get("bytes"))
            if not self.is_full and (len(self._messages) >= MAX_UNREAD or self._bytes >= UNREAD_BYTES):
                self.is_full = True
                COUNTERS.limited["unread"] += 1
                self._transport.pauseProducing()
        self._wake()

    def put_first(self, message: dict[str, Any]) -> None:
        """Put a message before all others, except for the one that opens the socket."""
        if self._messages is None:
            self._messages = deque()
        opens = bool(self._messages) and self._messages[0]["type"] == "websocket.connect"
        self._messages.insert(int(opens), message)
        self._wake()

    def _wake(self) -> None:
        if self._getter is not None and not self._getter.done():
            self._getter.set_result(None)

    async def get(self) -> dict[str, Any]:
        while self._messages is None:
            self._getter = asyncio.get_running_loop().create_future()
            try:
                await self._getter
            finally:
                self._getter = None
        message = self._messages.popleft()
        if not self._messages:
            self._messages = None
            self._bytes = 0
            if self.is_full:
                self.is_full = False
                self._resume()
                if not self.is_full:
                    self._transport.resumeProducing()
        return message
