"""One HTTP connection: requests are read no faster than the client reads their answers.

Installed by hubbub.server.http. The head has a limited size, and a client that reads no answer is cut.
"""

import asyncio
import fcntl
import socket
import struct
import termios
from typing import Any

from twisted.internet import interfaces
from twisted.web import http

from hubbub import conf
from hubbub.process.metrics import COUNTERS

LINGER_SECONDS = 2.0  # After a refusal: closed with unread bytes, the connection would lose its answer.
LINGER_BYTES = 256 * 1024
MAX_PIECES = 64  # Pieces of pipelined requests before they are joined.

ACKED_BYTES = 120  # The offset of `tcpi_bytes_acked` in Linux' struct tcp_info.
TCP_INFO_BYTES = 128


class Channel(http.HTTPChannel):  # type: ignore[misc]
    """A connection. Its time limit includes a whole request and the idle time before it.

    `factory.connections` has all of them: see hubbub.server.connection_limits.
    """

    # The key of the limit by address; None: not limited by address.
    address: str | None = None
    # On a UNIX socket.
    is_local = False
    # The time since which it waits for a request; None while it has one.
    idle_since: float | None = None
    # Kept by `connections`: bytes that wait for the client, the last `progress`, and the time of its last change.
    unsent_bytes = 0
    last_progress: object = None
    progress_at = 0.0
    # Of the tasks of the application that wait for the client to read its answer.
    _drain_waiters: "tuple[asyncio.Future[None], ...]" = ()
    # The next pipelined request waits until the client has read the previous answer.
    _is_next_waiting = False
    _dataBuffer: list[bytes]
    _end: Any = None
    _discarded_bytes = 0

    def connectionMade(self) -> None:
        tunables = conf.settings()
        self.MAX_LENGTH = self.totalHeadersSize = tunables.header_bytes
        super().connectionMade()
        self.factory.connections.opened(self)

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        if self._end is not None:
            self._end.cancel()
            self._end = None
        self._resume_application()
        self.factory.connections.closed(self)

    def upgraded(self) -> None:
        """The connection became a WebSocket."""
        self.factory.connections.closed(self)

    # Receiving

    def resetTimeout(self) -> None:
        # Twisted would restart the time limit at each byte.
        pass

    def timeoutConnection(self) -> None:
        if self.pending_bytes:
            # The last answer is still being sent: `connections.sweep` cuts a client that does not read it.
            self.setTimeout(self.timeOut)
            return
        super().timeoutConnection()

    def rawDataReceived(self, data: bytes) -> None:
        if not self._handlingRequest:
            super().rawDataReceived(data)
            return
        # As in Twisted, which has no limit here while a part of the answer is unsent.
        self._dataBuffer.append(data)
        if len(self._dataBuffer) > MAX_PIECES:
            self._dataBuffer = [b"".join(self._dataBuffer)]
        if sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize:
            self._networkProducer.pauseProducing()

    def allContentReceived(self) -> None:
        self.factory.connections.mark_busy(self)
        super().allContentReceived()

    def lineLengthExceeded(self, line: bytes) -> None:
        self._refuse_head()

    def _respondToBadRequestAndDisconnect(self) -> None:
        if self._receivedHeaderSize > self.totalHeadersSize or self._receivedHeaderCount >= self.maxHeaders:
            self._refuse_head()
        else:
            self.refuse(400, "Bad Request")

    def _refuse_head(self) -> None:
        COUNTERS.limited["header_bytes"] += 1
        if self._HTTPChannel__first_line:
            self.refuse(414, "URI Too Long")
        else:
            self.refuse(431, "Request Header Fields Too Large")

    def refuse(self, status: int, reason: str, *headers: str, text: str = "") -> None:
        """Refuse a request with a plain `text` and close the connection; further bytes are discarded."""
        length = f"Content-Length: {len(text.encode())}"
        head = [f"HTTP/1.1 {status} {reason}", *headers, length, "Connection: close", "", text]
        self.transport.write("\r\n".join(head).encode())
        for reader in ("dataReceived", "lineReceived", "rawDataReceived"):
            setattr(self, reader, self._discard)
        self._buffer = b""
        self.setTimeout(None)
        if interfaces.ISSLTransport(self.transport, None) is not None:
            self.loseConnection()
            return
        self._networkProducer.resumeProducing()
        self._networkProducer.unregisterProducer()
        self.transport.loseWriteConnection()
        self._end = self.callLater(LINGER_SECONDS, self._cut)

    def _discard(self, data: bytes) -> None:
        self._discarded_bytes += len(data)
        if self._discarded_bytes > LINGER_BYTES:
            self.transport.abortConnection()

    def _cut(self) -> None:
        self._end = None
        self.transport.abortConnection()

    # Sending

    @property
    def pending_bytes(self) -> int:
        """Unsent bytes in this process. TLS buffers bytes of its own only while the transport below is full."""
        transport: Any = getattr(self.transport, "transport", None) or self.transport
        size: int = transport._tempDataLen + len(transport.dataBuffer) - transport.offset
        return size

    @property
    def has_unread(self) -> bool:
        """Whether bytes of the client wait in the kernel."""
        transport: Any = getattr(self.transport, "transport", None) or self.transport
        try:
            waiting = fcntl.ioctl(transport.fileno(), termios.FIONREAD, bytes(4))
        except (OSError, ValueError):
            return False  # The connection has ended.
        return bool(struct.unpack("i", waiting)[0])

    def progress(self) -> object:
        """A value that changes as long as the client reads."""
        transport: Any = getattr(self.transport, "transport", None) or self.transport
        # The kernel may buffer several megabytes, which a slow client reads in minutes.
        if transport.socket.family != socket.AF_UNIX:
            info = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            if len(info) == TCP_INFO_BYTES:
                return struct.unpack_from("Q", info, ACKED_BYTES)[0]
        queued = struct.unpack("i", fcntl.ioctl(transport.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        return transport.offset, transport._tempDataLen + len(transport.dataBuffer), queued

    async def wait_drained(self) -> None:
        """Return when little is unsent, or the connection has ended."""
        if self._is_over_limit():
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._drain_waiters += (waiter,)
            self.factory.connections.mark_blocked(self)
            try:
                await waiter
            finally:
                self._drain_waiters = tuple(other for other in self._drain_waiters if other is not waiter)
                if not self._drain_waiters:
                    self.factory.connections.mark_unblocked(self)

    def requestDone(self, request: Any) -> None:
        if not self.persistent or not self._is_over_limit():
            if self.persistent:
                self.factory.connections.mark_idle(self)
            super().requestDone(request)
            return
        # The next request starts when this answer is sent: small requests could otherwise pile up long answers.
        if request != self.requests[0]:
            raise TypeError
        del self.requests[0]
        self._is_next_waiting = True

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.factory.connections.mark_behind(self)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.factory.connections.mark_sent(self)
        self._resume_application()
        if self._is_next_waiting:
            # The rest of Twisted's `requestDone`.
            self._is_next_waiting = False
            self._networkProducer.resumeProducing()
            self._handlingRequest = False
            self.setTimeout(self._savedTimeOut)
            data, self._dataBuffer = b"".join(self._dataBuffer), []
            self.factory.connections.mark_idle(self)
            self.setLineMode(data)

    def _is_over_limit(self) -> bool:
        """Whether too much is unsent; the transport then calls `resumeProducing` when its buffer is empty."""
        return bool(self._waitingForTransport) and self.pending_bytes > conf.settings().answer_bytes

    def _resume_application(self) -> None:
        for waiter in self._drain_waiters:
            if not waiter.done():
                waiter.set_result(None)
