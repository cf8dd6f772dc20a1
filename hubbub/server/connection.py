"""One HTTP connection: requests are read no faster than their answers are taken.

Installed by hubbub.server.http. A head has a bounded size, and an answer that nobody takes ends its connection.
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

LINGER_SECONDS = 2.0  # After a refusal: a connection that is closed with unread bytes would lose it on its way.
LINGER_BYTES = 256 * 1024
MAX_PIECES = 64  # Of a pipeline, kept one by one.

ACKED_BYTES = 120  # Where `tcpi_bytes_acked` stands in Linux' struct tcp_info.
TCP_INFO_BYTES = 128


class Channel(http.HTTPChannel):  # type: ignore[misc]
    """A connection. Its time limit is for a request as a whole, with the pause before it.

    `factory.connections` knows all of them: see hubbub.server.connection_limits.
    """

    # What a limit by address counts it under; None: not by address.
    address: str | None = None
    # By a UNIX socket.
    is_local = False
    # Since when it waits for a request; None while it has one.
    waits_since: float | None = None
    # Of what is known to wait for its reader; what had been taken when that was last looked at, and when that changed.
    counted_bytes = 0
    taken: object = None
    taken_at = 0.0
    # What the application waits for, when too much of its answer waits.
    _room: "asyncio.Future[None] | None" = None
    # The next request of a pipeline waits until the answer before it was taken.
    _is_held = False
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
        self._has_room()
        self.factory.connections.closed(self)

    def upgraded(self) -> None:
        """It is a WebSocket now."""
        self.factory.connections.closed(self)

    # What comes

    def resetTimeout(self) -> None:
        # Twisted gives a client that sends one byte now and then all the time in the world.
        pass

    def timeoutConnection(self) -> None:
        if self.pending_bytes:
            # The last answer is still on its way: whether that moves is looked after elsewhere.
            self.setTimeout(self.timeOut)
            return
        super().timeoutConnection()

    def rawDataReceived(self, data: bytes) -> None:
        if not self._handlingRequest:
            super().rawDataReceived(data)
            return
        # As Twisted does it, which reads on without a bound while a part of the answer waits to be sent.
        self._dataBuffer.append(data)
        if len(self._dataBuffer) > MAX_PIECES:
            self._dataBuffer = [b"".join(self._dataBuffer)]
        if sum(map(len, self._dataBuffer)) > self._optimisticEagerReadSize:
            self._networkProducer.pauseProducing()

    def allContentReceived(self) -> None:
        self.factory.connections.works(self)
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

    def refuse(self, status: int, reason: str, *headers: str) -> None:
        """Answer what is no request of ours, and close; what still comes is not looked at."""
        head = [f"HTTP/1.1 {status} {reason}", *headers, "Content-Length: 0", "Connection: close", "", ""]
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

    # What goes

    @property
    def pending_bytes(self) -> int:
        """What waits in this process to be sent. TLS keeps nothing of its own unless the transport below is full."""
        transport: Any = getattr(self.transport, "transport", None) or self.transport
        size: int = transport._tempDataLen + len(transport.dataBuffer) - transport.offset
        return size

    @property
    def has_unread(self) -> bool:
        """Whether the client has sent something that this process has still to read."""
        transport: Any = getattr(self.transport, "transport", None) or self.transport
        try:
            waiting = fcntl.ioctl(transport.fileno(), termios.FIONREAD, bytes(4))
        except (OSError, ValueError):
            return False  # It has ended.
        return bool(struct.unpack("i", waiting)[0])

    def progress(self) -> object:
        """Another value each time, as long as the client takes something."""
        transport: Any = getattr(self.transport, "transport", None) or self.transport
        # What has left this process may wait in the kernel: several megabytes, for which a slow client needs minutes.
        if transport.socket.family != socket.AF_UNIX:
            told = transport.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
            if len(told) == TCP_INFO_BYTES:
                return struct.unpack_from("Q", told, ACKED_BYTES)[0]
        queued = struct.unpack("i", fcntl.ioctl(transport.fileno(), termios.TIOCOUTQ, bytes(4)))[0]
        return transport.offset, transport._tempDataLen + len(transport.dataBuffer), queued

    async def until_taken(self) -> None:
        """Return when the client has taken what waits, if that is much, or is gone."""
        if self._has_too_much():
            self._room = asyncio.get_running_loop().create_future()
            self.factory.connections.blocks(self)
            try:
                await self._room
            finally:
                self._room = None
                self.factory.connections.goes_on(self)

    def requestDone(self, request: Any) -> None:
        if not self.persistent or not self._has_too_much():
            if self.persistent:
                self.factory.connections.waits(self)
            super().requestDone(request)
            return
        # The next request is begun when this answer was taken: each is as long as the server likes, a request is not.
        if request != self.requests[0]:
            raise TypeError
        del self.requests[0]
        self._is_held = True

    def pauseProducing(self) -> None:
        super().pauseProducing()
        self.factory.connections.falls_behind(self)

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.factory.connections.catches_up(self)
        self._has_room()
        if self._is_held:
            # What `requestDone` of Twisted does.
            self._is_held = False
            self._networkProducer.resumeProducing()
            self._handlingRequest = False
            self.setTimeout(self._savedTimeOut)
            data, self._dataBuffer = b"".join(self._dataBuffer), []
            self.factory.connections.waits(self)
            self.setLineMode(data)

    def _has_too_much(self) -> bool:
        """Whether more waits to be sent than may; then the transport tells when all of it was sent."""
        return bool(self._waitingForTransport) and self.pending_bytes > conf.settings().answer_bytes

    def _has_room(self) -> None:
        if self._room is not None and not self._room.done():
            self._room.set_result(None)
