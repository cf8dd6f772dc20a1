"""The sending side of one WebSocket: ready frames go past the protocol, straight to the transport.

Imported by hubbub.server, after its reactor.
"""

from collections.abc import Callable
from typing import Any

from twisted.internet import interfaces, reactor, tcp, unix
from zope.interface import implementer

from hubbub.delivery.outbox import DRAIN, SLOW_READER_SECONDS, RawOutbox
from hubbub.protocol import CloseCode
from hubbub.server.inbox import Inbox

# Transports that buffer only in `dataBuffer` and `_tempDataBuffer`. TLS has a buffer of its own.
FAST_TRANSPORTS = (tcp.Server, unix.Server)

# With more bytes in the transport's buffer, further frames wait in the outbox.
PAUSE_BYTES = 64 * 1024


@implementer(interfaces.IPullProducer)
class Connection:
    """The connection that the ASGI scope offers to an outbox: see hubbub.delivery.outbox.Connection.

    It is the transport's pull producer: the transport calls `resumeProducing` when its buffer is empty. The protocol
    calls `written` after each write of its own.
    """

    __slots__ = ("_outbox", "_protocol", "_send", "_transport", "inbox", "is_behind", "is_open", "is_paused", "scope")

    def __init__(self, protocol: Any, scope: dict[str, Any]) -> None:
        """`protocol`: the WebSocketProtocol of hubbub.server.websocket."""
        self.scope = scope
        self.inbox = Inbox(protocol.transport, protocol.consumeData)
        self._protocol = protocol
        self._transport: Any = protocol.transport
        self._outbox: RawOutbox | None = None
        # On any other transport a direct write could overtake buffered bytes.
        self._send: Callable[[bytes], int] | None = (
            protocol.transport.socket.send if type(protocol.transport) in FAST_TRANSPORTS else None
        )
        self.is_open = False
        self.is_behind = False
        self.is_paused = False

    def opened(self) -> None:
        """The handshake is accepted."""
        # The HTTP channel of the handshake is still the transport's producer.
        self._transport.unregisterProducer()
        self.is_open = True
        # The answer to the handshake is in the buffer.
        self.written()
        self._transport.registerProducer(self, False)

    def closed(self) -> None:
        """A close frame was sent, or the connection ended: no frame may follow."""
        self.is_open = False
        self._update_send_now()
        if self._outbox is not None:
            self._outbox.recount()

    def written(self) -> None:
        """The transport's buffer has bytes to send."""
        self.is_behind = True
        # The pause ends only when the buffer is empty: until then new frames queue in the outbox, behind older ones.
        self.is_paused = self.is_paused or self.buffered_bytes > PAUSE_BYTES
        self._update_send_now()
        if self._outbox is not None:
            self._outbox.recount()

    def attach(self, outbox: RawOutbox) -> None:
        self._outbox = outbox

    def write(self, frames: bytes) -> None:
        if self.is_open:
            self._transport.write(frames)
            self.written()

    def close(self, code: int, reason: str) -> None:
        self._protocol.close_with(code, reason)

    def abort(self) -> None:
        self._transport.abortConnection()

    def drain(self) -> bool:
        """Ask the consumer to finish and close; close the socket here if its consumer is not ours.

        Returns:
            False if it is too early: the handshake is not accepted yet.
        """
        if self._outbox is not None:
            self.inbox.put_first({"type": DRAIN})
        elif self.is_open:
            self.close(CloseCode.RESTART, "Restart")
        else:
            return False
        return True

    def give_up(self) -> None:
        """Close the socket of a client that reads nothing."""
        if self._outbox is not None:
            self._outbox.give_up()
        else:
            self.close(CloseCode.SLOW_READER, "Slow reader")
            reactor.callLater(SLOW_READER_SECONDS, self.abort)

    @property
    def waiting_bytes(self) -> int:
        """Bytes in the outbox and in the transport's buffer."""
        return self.buffered_bytes if self._outbox is None else self._outbox.waiting_bytes

    @property
    def buffered_bytes(self) -> int:
        """Bytes in the transport's buffer."""
        size: int = self._transport._tempDataLen + len(self._transport.dataBuffer)
        return size

    def _update_send_now(self) -> None:
        if self._outbox is not None:
            self._outbox.send_now = self._send if self.is_open and not self.is_behind else None

    # Called by the transport

    def resumeProducing(self) -> None:
        if self.buffered_bytes:
            return  # The registration calls this with bytes in the buffer, too.
        self.is_behind = self.is_paused = False
        if self._transport.disconnecting:
            # A registered pull producer would keep the connection open.
            self._transport.unregisterProducer()
            return
        self._update_send_now()
        if self._outbox is not None:
            self._outbox.drained()

    def stopProducing(self) -> None:
        self.closed()
        self._outbox = None
