"""Daphne with what its own command line cannot be told: ready frames, close reasons, every close code, an orderly end.

`python -m realtime.server [daphne's options] project.asgi:application`

Built on daphne's extension points (`CommandLineInterface.server_class`, `Server`); its WebSocket protocol class is set
through `ws_factory`, which `Server.run` assigns. What it relies on beyond their documented interfaces is listed in
`INTERNALS`; tests/realtime/test_server.py fails when an upgrade moves one of them.
"""

import asyncio
import logging
import os
import re
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any

import realtime.reactor  # noqa: F401 - before daphne is imported  # isort: skip

from autobahn.websocket import protocol as autobahn_protocol
from autobahn.websocket.types import ConnectionDeny
from daphne.cli import CommandLineInterface
from daphne.server import Server as DaphneServer
from daphne.ws_protocol import WebSocketProtocol as DaphneWebSocketProtocol
from twisted.internet import defer, interfaces, reactor, tcp, unix
from zope.interface import implementer

from realtime.drain import drain
from realtime.listening import BACKLOG
from realtime.metrics import COUNTERS
from realtime.outbox import CLOSE_SECONDS, DRAIN, EXTENSION, RawOutbox
from realtime.protocol import CloseCode
from realtime.request import HttpFactory, Request

logger = logging.getLogger(__name__)

# Transports whose buffers are known to stand in `dataBuffer` and `_tempDataBuffer`, and nowhere else. TLS has its own.
FAST_TRANSPORTS = (tcp.Server, unix.Server)

# With so much in a transport's buffer, what else is for its socket waits in the outbox.
PAUSE_BYTES = 64 * 1024

# From the request for a socket to the application's answer. Daphne's five are no more than what a database that hangs
# is waited for: the client would be refused, and not told to come again.
HANDSHAKE_SECONDS = 10

THREADS_END_SECONDS = 0.5  # After the drain.

# Frames of a client that wait for its consumer; what one packet brought may be more.
MOST_UNREAD = 64

INTERNALS = {
    "twisted.internet.abstract.FileDescriptor": ("dataBuffer", "_tempDataBuffer", "_tempDataLen", "disconnecting"),
    "autobahn.websocket.protocol.WebSocketProtocol": ("sendCloseFrame", "dropConnection", "STATE_OPEN", "send_queue"),
    "daphne.server.Server": ("connections", "endpoints", "ws_factory", "application_instance"),
}


@implementer(interfaces.IPullProducer)
class Connection:
    """What a socket offers the application through the ASGI scope: see realtime.outbox.Connection.

    Registered at the transport as a pull producer, it is told each time the transport has sent all it had; that
    something was written it learns from the protocol, through which everything else that is written goes.
    """

    __slots__ = ("_outbox", "_protocol", "_send", "_transport", "inbox", "is_behind", "is_open", "is_paused")

    def __init__(self, protocol: "WebSocketProtocol") -> None:
        self.inbox = Inbox(protocol.transport)
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

    def written(self) -> None:
        """Something stands in the transport's buffer now."""
        self.is_behind = True
        # It is over only when all has been sent: what is written before that goes behind what waits in the outbox.
        self.is_paused = self.is_paused or self.buffered_bytes > PAUSE_BYTES
        self._tell()

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


class Inbox:
    """What a socket's consumer has not received yet: one getter, and no memory while it is empty.

    When more gathers than a consumer takes at once, the socket is not read until it has taken that.
    """

    __slots__ = ("_getter", "_is_paused", "_messages", "_transport")

    def __init__(self, transport: Any) -> None:
        self._transport = transport
        self._is_paused = False
        self._messages: deque[dict[str, Any]] | None = None
        self._getter: asyncio.Future[None] | None = None

    def put_nowait(self, message: dict[str, Any]) -> None:
        if self._messages is None:
            self._messages = deque()
        self._messages.append(message)
        if len(self._messages) == MOST_UNREAD:
            self._is_paused = True
            COUNTERS.limited["unread"] += 1
            self._transport.pauseProducing()
        self._wake()

    def put_first(self, message: dict[str, Any]) -> None:
        """Before all that waits; only what opens the socket stays first."""
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
            if self._is_paused:
                self._is_paused = False
                self._transport.resumeProducing()
        return message


class WebSocketProtocol(DaphneWebSocketProtocol):  # type: ignore[misc]
    # None until the handshake has been read.
    connection: Connection | None = None

    def onConnect(self, request: Any) -> Any:
        if not self.factory.server_class.takes_sockets:
            # It came on a connection that was opened before the process stopped listening.
            raise ConnectionDeny(503, "This process restarts")
        return super().onConnect(request)

    def onOpen(self) -> None:
        assert self.connection is not None
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


class Server(DaphneServer):  # type: ignore[misc]
    @property
    def http_factory(self) -> Any:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: Any) -> None:
        self._http_factory = HttpFactory(self)

    @property
    def ws_factory(self) -> Any:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: Any) -> None:
        factory.protocol = WebSocketProtocol
        # Otherwise what is too big or not UTF-8 cuts the connection without a close frame.
        # A client far away takes longer to answer a close frame than autobahn's one second.
        factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=CLOSE_SECONDS)
        self._ws_factory = factory

    # False at the end: no handshake is begun any more.
    takes_sockets = True

    def run(self) -> None:
        for endpoint in self.endpoints:
            if passed := re.fullmatch(r"fd:fileno=(\d+)", endpoint):
                # It comes bound, and takes connections only now that there is somebody to accept them.
                with socket.socket(fileno=int(passed[1])) as listener:
                    listener.listen(BACKLOG)
                    listener.detach()
        super().run()
        # The interpreter waits for its threads, also for one that hangs in a query.
        leave = threading.Timer(THREADS_END_SECONDS, _leave)
        leave.daemon = True
        leave.start()

    def listen_success(self, port: Any) -> None:
        self._ports = [*getattr(self, "_ports", ()), port]
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, WebSocketProtocol):
            protocol.connection = Connection(protocol)
            scope["extensions"] = {EXTENSION: protocol.connection, "websocket.http.response": {}}
            # What daphne's own does, with a smaller queue: its asyncio.Queue is an eighth of an idle connection.
            inbox = protocol.connection.inbox
            scope["scheme"] = "wss" if interfaces.ISSLTransport.providedBy(protocol.transport) else "ws"
            scope["asgi"] = {"version": "3.0"}
            running = self.application(scope=scope, receive=inbox.get, send=partial(self.handle_reply, protocol))
            self.connections[protocol]["application_instance"] = asyncio.ensure_future(running)
            return inbox
        return super().create_application(protocol, scope)

    def kill_all_applications(self) -> Any:
        """The end of this process: see realtime.drain.

        Daphne's own cuts the sockets and fails when a handshake came within its last second.
        """
        return defer.Deferred.fromFuture(asyncio.ensure_future(drain(self)))

    # For the drain

    def stop_listening(self) -> None:
        """On the network. On UNIX sockets whoever supervises this process still asks how it is."""
        for port in getattr(self, "_ports", ()):
            if not isinstance(port, unix.Port):
                port.stopListening()

    def sockets(self) -> list[Connection]:
        """Those that are connected, or about to be."""
        return [
            protocol.connection
            for protocol, details in self.connections.items()
            if isinstance(protocol, WebSocketProtocol) and protocol.connection and "disconnected" not in details
        ]

    def applications(self) -> list[Any]:
        """The consumers and requests that still run."""
        running = (details.get("application_instance") for details in self.connections.values())
        return [one for one in running if one is not None and not one.done()]

    def is_transferring(self) -> bool:
        """Whether a request is still arriving, or an answer being sent, which its application has handed over."""
        arriving = any(
            isinstance(protocol, Request) and not {"disconnected", "application_instance"} & details.keys()
            for protocol, details in self.connections.items()
        )
        return arriving or any(isinstance(one, FAST_TRANSPORTS) for one in reactor.getWriters())


def _leave() -> None:
    logger.warning("threads that did not end in time were cut off")
    os._exit(0)


def _skip_formatting(_: object) -> str:
    return "(not formatted)"


# For each connection autobahn formats all its options for a debug line that nobody sees: a tenth of a handshake.
autobahn_protocol.pformat = _skip_formatting


class Cli(CommandLineInterface):  # type: ignore[misc]
    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        self.parser.set_defaults(websocket_connect_timeout=HANDSHAKE_SECONDS)


if __name__ == "__main__":
    Cli.entrypoint()
