"""A WebSocket as the wire of a connection."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hubbub.client.endings import ABNORMAL
from hubbub.client.observer import Frame
from hubbub.client.timing import CLOSE_SECONDS
from hubbub.client.wire import MAX_FRAME_BYTES, WireClosed, WireRefused
from hubbub.process.extras import missing

if (line := missing("client", "websockets", "hubbub.client")) is not None:
    raise ImportError(line)
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

OpenSocket = Callable[[str], Awaitable[ClientConnection]]


class ExactAddress(connect):
    """Follows no redirect: the other address would get the token."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


async def open_socket(url: str) -> ClientConnection:
    """Open a WebSocket to `url`."""
    options: dict[str, Any] = {
        "compression": None,
        "max_size": MAX_FRAME_BYTES,
        # The protocol has its own `ping`.
        "ping_interval": None,
        "open_timeout": None,
        "close_timeout": CLOSE_SECONDS,
    }
    return await ExactAddress(url, **options)


class SocketWire:
    """See `Wire`. `socket`: an open WebSocket."""

    joined: int = 0
    is_pinged: bool = True
    answer_seconds: float | None = None

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    @classmethod
    async def open(cls, url: str, connect: OpenSocket, joins: Sequence[Frame]) -> "SocketWire":
        """Open a WebSocket by `connect`; `joins` come later, as commands. Raises WireRefused, OSError."""
        try:
            return cls(await connect(url))
        except InvalidStatus as refused:
            response = refused.response
            raise WireRefused(response.status_code, response.headers.get("Retry-After")) from None
        except InvalidHandshake as failure:
            raise OSError(str(failure)) from failure

    async def receive(self) -> str | bytes:
        try:
            return await self._socket.recv()
        except ConnectionClosed as closed:
            raise _closed(closed) from None

    async def send(self, text: str, topic: str) -> str | None:
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            raise _closed(closed) from None
        return None

    def greeted(self, hello: Frame) -> None:
        pass

    async def close(self) -> None:
        await self._socket.close()

    def abort(self) -> None:
        self._socket.transport.abort()

    @property
    def unsent_bytes(self) -> int:
        return self._socket.transport.get_write_buffer_size()


def _closed(closed: ConnectionClosed) -> WireClosed:
    if closed.rcvd is None:
        return WireClosed(ABNORMAL)
    return WireClosed(closed.rcvd.code, closed.rcvd.reason)
