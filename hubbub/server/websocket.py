"""The receiving side of one WebSocket: limits on frames, pings, and close codes with reasons.

Imported by hubbub.server, after its reactor.
"""

import socket
import time
from collections.abc import Iterable
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import daphne.http_protocol
import daphne.server
import daphne.ws_protocol
from autobahn.websocket import protocol as autobahn_protocol
from autobahn.websocket.types import ConnectionDeny
from daphne.ws_protocol import WebSocketProtocol as DaphneWebSocketProtocol
from twisted.internet import reactor

from hubbub import conf
from hubbub.delivery.outbox import CLOSE_SECONDS
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import CloseCode
from hubbub.server.pings import PendingPing, Verdict, read_transport_state
from hubbub.server.websocket_connection import Connection

# Received bytes before the handshake is answered.
MAX_BEFORE_OPEN_BYTES = 64 * 1024

CLOSE = 8  # The opcode, RFC 6455 section 5.2.

# The kernel's send buffer, which it doubles for its own use. Its default of up to 4 MiB would hide a client that does
# not read. At a round trip of 200 ms this carries a megabyte a second.
KERNEL_BYTES = 128 * 1024


class WebSocketProtocol(DaphneWebSocketProtocol):  # type: ignore[misc]
    """Limits data that no consumer has seen: before the socket is open, and partial frames."""

    # None until the handshake has been read.
    connection: Connection | None = None
    # The time at which the token bucket of partial frames is full again.
    _bucket_full_at = 0.0
    _is_flooding = False
    # Whether bytes have come since the last `check_timeouts`, when it last saw some, and the ping since then.
    _has_received = True
    _received_at = 0.0
    _ping: PendingPing | None = None

    def onConnect(self, request: Any) -> Any:
        if not self.factory.server_class.accepts_sockets:
            # A handshake on a connection from before the process stopped listening.
            raise ConnectionDeny(503, "This process restarts")
        return super().onConnect(request)

    def _dataReceived(self, data: bytes) -> None:
        self._has_received = True
        if self._is_flooding:
            return
        if self.state == self.STATE_CONNECTING and len(self.data) + len(data) > MAX_BEFORE_OPEN_BYTES:
            # A client must wait for the answer to its handshake: autobahn scans all received bytes at each packet.
            self.transport.abortConnection()
            return
        super()._dataReceived(data)

    def consumeData(self) -> None:
        # While the inbox is full, data stays undecoded: as frames it would take many times the memory.
        if self.connection is None or self.state == self.STATE_CONNECTING:
            super().consumeData()
            return
        inbox = self.connection.inbox
        while not inbox.is_full and self.state != self.STATE_CLOSED and self.processData():
            pass

    def check_timeouts(self) -> None:
        """Called for every socket once a second: one timer serves all, and active sockets cost little."""
        if self.state != self.STATE_OPEN:
            super().check_timeouts()
            return
        now = time.monotonic()
        if self._has_received:
            self._has_received, self._received_at, self._ping = False, now, None
        elif self._ping is not None or now - self._received_at >= self.server.ping_interval:
            self._check_ping(now)
        if 0 <= self.server.websocket_timeout < self.duration():
            self.serverClose()

    def _check_ping(self, now: float) -> None:
        """Send a ping, or evaluate the pending one."""
        assert self.connection is not None
        if self._ping is None:
            self.sendPing()
        try:
            state = read_transport_state(self.transport.socket, self.connection.waiting_bytes)
        except OSError:
            return  # The connection has ended; the transport will report it.
        if self._ping is None:
            self._ping = PendingPing(now, state)
            return
        verdict = self._ping.evaluate(now, state, self.server.ping_interval, self.server.ping_timeout)
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
            log_event(Kind.FLOOD_CLOSED, address=address, detail="too many pings, pongs or message fragments")
            self._is_flooding = True
            self.data = b""
            self.close_with(CloseCode.RATE_LIMITED, "Rate limited")
            return False
        ended: bool | None = super().onFrameEnd()
        return ended

    def _is_over_limit(self) -> bool:
        tunables = conf.settings()
        now = time.monotonic()
        full_at = max(self._bucket_full_at, now) + 1 / tunables.partial_frames_per_second
        if full_at - now > tunables.partial_frames_burst / tunables.partial_frames_per_second:
            return True
        self._bucket_full_at = full_at
        return False

    def onPing(self, payload: bytes) -> None:
        # No pongs for a client that does not read: RFC 6455 section 5.5.3 requires only one for the latest ping.
        if self.connection is None or not self.connection.is_paused:
            super().onPing(payload)

    def onOpen(self) -> None:
        assert self.connection is not None
        self.transport.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BYTES)
        self.connection.opened()
        super().onOpen()

    def sendData(self, *args: Any, **kwargs: Any) -> None:
        # Pings, pongs and close frames: autobahn's own writes on an open socket.
        super().sendData(*args, **kwargs)
        if self.connection is not None:
            self.connection.written()

    def sendCloseFrame(self, *args: Any, **kwargs: Any) -> None:
        # No frame may follow, whether autobahn closes for a protocol error or the application closes.
        if self.connection is not None:
            self.connection.closed()
        super().sendCloseFrame(*args, **kwargs)

    def dropConnection(self, abort: bool = False) -> None:
        if self.connection is not None:
            self.connection.closed()
            if self.wasClean and self.connection.buffered_bytes:
                # autobahn mistakes an invalid close frame for the answer to its own close frame, and would cut the
                # connection before that frame is sent.
                abort = False
        transport = self.transport
        super().dropConnection(abort)
        if not abort and transport is not None:
            # Twisted waits until the buffer is sent: for ever, if the client does not read.
            reactor.callLater(CLOSE_SECONDS, transport.abortConnection)

    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            self.close_with(message.get("code") or 1000, message.get("reason") or "")
        elif message["type"] == "websocket.http.response.start":
            self._deny(message["status"], message.get("headers", ()))
        elif message["type"] == "websocket.http.response.body":
            pass  # A denial has no body: the status is enough.
        else:
            super().handle_reply(message)

    def _deny(self, status: int, headers: Iterable[tuple[bytes, bytes]]) -> None:
        """Refuse the handshake with any status: ASGI's "WebSocket Denial Response", which daphne lacks."""
        del self.handshake_deferred
        self.server.protocol_disconnected(self)
        decoded = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
        self.failHandshake(HTTPStatus(status).phrase, status, [*decoded, ("Content-Length", "0")])

    def close_with(self, code: int, reason: str) -> None:
        """Send a close frame with any code. autobahn's `sendClose`, which daphne uses, refuses 1001 to 2999."""
        if self.state == self.STATE_OPEN:
            self.sendCloseFrame(code=code, reasonUtf8=reason.encode()[:123], isReply=False)

    def onClose(self, wasClean: bool, code: int, reason: str) -> None:
        # After a handshake that failed before onConnect there is no server.
        if hasattr(self, "server") and self in self.server.connections:
            super().onClose(wasClean, code, reason)


# daphne measures durations by the wall clock: a step of it would end all connections, or none.
for _module in (daphne.http_protocol, daphne.server, daphne.ws_protocol):
    _module.time = SimpleNamespace(time=time.monotonic)


def _skip_formatting(_: object) -> str:
    return "(not formatted)"


# autobahn formats all options of each connection for a debug line: a tenth of a handshake.
autobahn_protocol.pformat = _skip_formatting
