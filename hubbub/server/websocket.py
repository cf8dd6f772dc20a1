"""One WebSocket of our server: ready frames past the protocol, close reasons, and what a client may send at most.

Imported by hubbub.server, after its reactor.
"""

import socket
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import daphne.http_protocol
import daphne.server
import daphne.ws_protocol
from autobahn.websocket import protocol as autobahn_protocol
from autobahn.websocket.types import ConnectionDeny
from daphne.ws_protocol import WebSocketProtocol as DaphneWebSocketProtocol
from twisted.internet import interfaces, reactor, tcp, unix
from zope.interface import implementer

from hubbub import conf
from hubbub.delivery.outbox import CLOSE_SECONDS, DRAIN, SLOW_READER_SECONDS, RawOutbox
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import CloseCode
from hubbub.server.inbox import Inbox
from hubbub.server.pings import Asked, Verdict, look

# Transports whose buffers are known to stand in `dataBuffer` and `_tempDataBuffer`, and nowhere else. TLS has its own.
FAST_TRANSPORTS = (tcp.Server, unix.Server)

# With so much in a transport's buffer, what else is for its socket waits in the outbox.
PAUSE_BYTES = 64 * 1024

# What may come before the handshake has been answered.
MAX_BEFORE_OPEN_BYTES = 64 * 1024

CLOSE = 8  # The opcode, RFC 6455 section 5.2.

# What the kernel takes for a socket, which it doubles for its own use. By itself it takes up to 4 MiB for a reader that
# does not read, which then would look like one that does. Over 200 ms this carries a megabyte a second.
KERNEL_BYTES = 128 * 1024


@implementer(interfaces.IPullProducer)
class Connection:
    """What a socket offers the application through the ASGI scope: see hubbub.delivery.outbox.Connection.

    Registered at the transport as a pull producer, it is told each time the transport has sent all it had; that
    something was written it learns from the protocol, through which everything else that is written goes.
    """

    __slots__ = ("_outbox", "_protocol", "_send", "_transport", "inbox", "is_behind", "is_open", "is_paused", "scope")

    def __init__(self, protocol: "WebSocketProtocol", scope: dict[str, Any]) -> None:
        self.scope = scope
        self.inbox = Inbox(protocol.transport, protocol.consumeData)
        self._protocol = protocol
        self._transport: Any = protocol.transport
        self._outbox: RawOutbox | None = None
        # What would go past a transport of any other type could overtake what that one holds.
        self._send: Callable[[bytes], int] | None = (
            protocol.transport.socket.send if type(protocol.transport) in FAST_TRANSPORTS else None
        )
        self.is_open = False
        self.is_behind = False
        self.is_paused = False

    def opened(self) -> None:
        # The HTTP channel that the socket was upgraded from is still the transport's producer.
        self._transport.unregisterProducer()
        self.is_open = True
        # The answer to the handshake has still to be sent.
        self.written()
        self._transport.registerProducer(self, False)

    def closed(self) -> None:
        self.is_open = False
        self._tell()
        if self._outbox is not None:
            self._outbox.recount()

    def written(self) -> None:
        """Something stands in the transport's buffer now."""
        self.is_behind = True
        # It is over only when all has been sent: what is written before that goes behind what waits in the outbox.
        self.is_paused = self.is_paused or self.buffered_bytes > PAUSE_BYTES
        self._tell()
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
        """Ask the consumer to finish and to close; one that is not ours is closed here. False: not yet possible."""
        if self._outbox is not None:
            self.inbox.put_first({"type": DRAIN})
        elif self.is_open:
            self.close(CloseCode.RESTART, "Restart")
        else:
            return False
        return True

    def give_up(self) -> None:
        """The client takes nothing of what it is sent."""
        if self._outbox is not None:
            self._outbox.give_up()
        else:
            self.close(CloseCode.SLOW_READER, "Slow reader")
            reactor.callLater(SLOW_READER_SECONDS, self.abort)

    @property
    def waiting_bytes(self) -> int:
        return self.buffered_bytes if self._outbox is None else self._outbox.waiting_bytes

    @property
    def buffered_bytes(self) -> int:
        size: int = self._transport._tempDataLen + len(self._transport.dataBuffer)
        return size

    def _tell(self) -> None:
        if self._outbox is not None:
            self._outbox.send_now = self._send if self.is_open and not self.is_behind else None

    # Called by the transport

    def resumeProducing(self) -> None:
        if self.buffered_bytes:
            return  # Asked at the registration, whatever there is.
        self.is_behind = self.is_paused = False
        if self._transport.disconnecting:
            # A pull producer that stays registered would keep the connection from being closed.
            self._transport.unregisterProducer()
            return
        self._tell()
        if self._outbox is not None:
            self._outbox.drained()

    def stopProducing(self) -> None:
        self.closed()
        self._outbox = None


class WebSocketProtocol(DaphneWebSocketProtocol):  # type: ignore[misc]
    """What a client sends is bounded here where no consumer ever sees it: before the socket is open, and in frames that
    are no whole message."""

    # None until the handshake has been read.
    connection: Connection | None = None
    # When the bucket of frames that are no whole message will be full again.
    _frames_full_at = 0.0
    _floods = False
    # Something has come since `check_timeouts` looked; when it saw that last; the ping that was sent since.
    _was_heard = True
    _heard_at = 0.0
    _asked: Asked | None = None

    def onConnect(self, request: Any) -> Any:
        if not self.factory.server_class.takes_sockets:
            # It came on a connection that was opened before the process stopped listening.
            raise ConnectionDeny(503, "This process restarts")
        return super().onConnect(request)

    def _dataReceived(self, data: bytes) -> None:
        self._was_heard = True
        if self._floods:
            return
        if self.state == self.STATE_CONNECTING and len(self.data) + len(data) > MAX_BEFORE_OPEN_BYTES:
            # A client waits for the answer to its handshake. All that has come is looked through at each packet.
            self.transport.abortConnection()
            return
        super()._dataReceived(data)

    def consumeData(self) -> None:
        # What a full inbox has no room for waits as it came: as frames it would take many times the memory.
        if self.connection is None or self.state == self.STATE_CONNECTING:
            super().consumeData()
            return
        inbox = self.connection.inbox
        while not inbox.is_full and self.state != self.STATE_CLOSED and self.processData():
            pass

    def check_timeouts(self) -> None:
        """Called for every socket once a second: so one timer serves them all, and it is cheap for those that speak."""
        if self.state != self.STATE_OPEN:
            super().check_timeouts()
            return
        now = time.monotonic()
        if self._was_heard:
            self._was_heard, self._heard_at, self._asked = False, now, None
        elif self._asked is not None or now - self._heard_at >= self.server.ping_interval:
            self._ask(now)
        if 0 <= self.server.websocket_timeout < self.duration():
            self.serverClose()

    def _ask(self, now: float) -> None:
        """Send a ping, or see what the last one came to."""
        assert self.connection is not None
        if self._asked is None:
            self.sendPing()
        try:
            found = look(self.transport.socket, self.connection.waiting_bytes)
        except OSError:
            return  # It has ended: the transport finds out.
        if self._asked is None:
            self._asked = Asked(now, found)
            return
        verdict = self._asked.judge(now, found, self.server.ping_interval, self.server.ping_timeout)
        if verdict is Verdict.STALLED:
            self.connection.give_up()
        elif verdict is Verdict.DEAD:
            self.onAutoPingTimeout()

    def onMessageFrameBegin(self, length: int) -> None:
        super().onMessageFrameBegin(length)
        if self.message_data_total_length > conf.settings().frame_bytes and not self.failedByMe:
            COUNTERS.limited["frame_bytes"] += 1
            self.wasMaxMessagePayloadSizeExceeded = True
            self._fail_connection(CloseCode.FRAME_TOO_BIG, "Frame too big")

    def onFrameEnd(self) -> bool | None:
        frame = self.current_frame
        if (frame.opcode > 7 or not frame.fin) and frame.opcode != CLOSE and self._is_over_limit():
            COUNTERS.limited["partial_frames"] += 1
            address = address_of(self.connection.scope) if self.connection is not None else None
            log_event(Kind.FLOOD_CLOSED, address=address, detail="pings, pongs and parts of messages")
            self._floods = True
            self.data = b""
            self.close_with(CloseCode.RATE_LIMITED, "Rate limited")
            return False
        ended: bool | None = super().onFrameEnd()
        return ended

    def _is_over_limit(self) -> bool:
        tunables = conf.settings()
        now = time.monotonic()
        full_at = max(self._frames_full_at, now) + 1 / tunables.partial_frames_per_second
        if full_at - now > tunables.partial_frames_burst / tunables.partial_frames_per_second:
            return True
        self._frames_full_at = full_at
        return False

    def onPing(self, payload: bytes) -> None:
        # Who does not read is not sent more to keep: RFC 6455 section 5.5.3 asks for the answer to the latest only.
        if self.connection is None or not self.connection.is_paused:
            super().onPing(payload)

    def onOpen(self) -> None:
        assert self.connection is not None
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        self.connection.opened()
        super().onOpen()

    def sendData(self, *args: Any, **kwargs: Any) -> None:
        # Pings, pongs and close frames: all that autobahn itself writes once the socket is open.
        super().sendData(*args, **kwargs)
        if self.connection is not None:
            self.connection.written()

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:
        # Whoever begins to close, autobahn for a fault of the client's or we: no frame may follow.
        if self.connection is not None:
            self.connection.closed()
        super().sendCloseFrame(*args, **kwargs)

    def dropConnection(self, abort: bool = False) -> None:
        if self.connection is not None:
            self.connection.closed()
            if self.wasClean and self.connection.buffered_bytes:
                # autobahn takes a close frame that breaks the rules for the answer to its own complaint about it, and
                # would cut the connection before that has left.
                abort = False
        transport = self.transport
        super().dropConnection(abort)
        if not abort and transport is not None:
            # Twisted waits for what is still to be sent; a client that reads no more would be waited for for ever.
            reactor.callLater(CLOSE_SECONDS, transport.abortConnection)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            self.close_with(message.get("code") or 1000, message.get("reason") or "")
        elif message["type"] == "websocket.http.response.start":
            self._deny(message["status"], message.get("headers", ()))
        elif message["type"] == "websocket.http.response.body":
            pass  # The status says it all.
        else:
            super().handle_reply(message)

    def _deny(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Refuse the handshake with any status: the "WebSocket Denial Response" of ASGI, which daphne lacks."""
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        given = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        self.failHandshake(HTTPStatus(status).phrase, status, [*given, ("Content-Length", "0")])

    def close_with(self, code: int, reason: str) -> None:
        """Send a close frame. autobahn's `sendClose`, which daphne uses, takes only 1000 and 3000 to 4999."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123], isReply=False)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        # A handshake that failed before onConnect has no server yet.
        if hasattr(self, "server") and self in self.server.connections:
            super().onClose(wasClean, code, reason)


# What daphne measures are spans: by the clock that people set, an hour's step would end or keep everything.
for _module in (daphne.http_protocol, daphne.server, daphne.ws_protocol):
    _module.time = SimpleNamespace(time=time.monotonic)


def _skip_formatting(_: object) -> str:
    return "(not formatted)"


# For each connection autobahn formats all its options for a debug line that nobody sees: a tenth of a handshake.
autobahn_protocol.pformat = _skip_formatting
