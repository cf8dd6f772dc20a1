"""Daphne with what its own command line cannot be told: ready frames, close reasons, every close code, an orderly end.

`python -m hubbub.server [daphne's options] project.asgi:application`

Built on daphne's extension points (`CommandLineInterface.server_class`, `Server`); its WebSocket protocol class is set
through `ws_factory`, which `Server.run` assigns. What it relies on beyond their documented interfaces is listed in
`INTERNALS`; tests/hubbub/test_server.py fails when an upgrade moves one of them.
"""

import asyncio
import logging
import os
import re
import socket
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import hubbub.server.event_loop  # noqa: F401 - before daphne is imported  # isort: skip

from daphne import cli
from daphne.access import AccessLogGenerator
from daphne.cli import CommandLineInterface
from daphne.server import Server as DaphneServer
from twisted.internet import defer, interfaces, reactor, unix

from hubbub import conf
from hubbub.checks import check_address, check_descriptors
from hubbub.delivery.outbox import CLOSE_SECONDS, EXTENSION
from hubbub.process.descriptors import Gate, needed, raise_limit
from hubbub.process.ports import BACKLOG
from hubbub.server.connection_limits import LOOK_SECONDS
from hubbub.server.drain import drain
from hubbub.server.http import HttpFactory, Request
from hubbub.server.websocket import FAST_TRANSPORTS, Connection, WebSocketProtocol
from hubbub.site.lease import REFUSALS, claim_at_start

logger = logging.getLogger(__name__)

# From the request for a socket to the application's answer. Daphne's five are no more than what a database that hangs
# is waited for: the client would be refused, and not told to come again.
HANDSHAKE_SECONDS = 10

ACCESS_CHARS = 500  # Of a request in the access log.

SWEEP_SECONDS = 1.0  # Between two looks at the timeouts of all connections, and at who answers its ping.

THREADS_END_SECONDS = 0.5  # After the drain.

INTERNALS = {
    "twisted.internet.abstract.FileDescriptor": ("dataBuffer", "_tempDataBuffer", "_tempDataLen", "disconnecting"),
    "autobahn.websocket.protocol.WebSocketProtocol": ("sendCloseFrame", "dropConnection", "STATE_OPEN", "send_queue"),
    "daphne.server.Server": ("connections", "endpoints", "ws_factory", "application_instance"),
}


class Server(DaphneServer):  # type: ignore[misc]
    @property
    def http_factory(self) -> Any:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: Any) -> None:
        self._http_factory = HttpFactory(self)
        self._gate = Gate(self._limit, self._http_factory.connections)
        reactor.callLater(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        reactor.callLater(LOOK_SECONDS, self._look)
        self._http_factory.connections.look()

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
        self._limit = raise_limit(needed(conf.settings()))
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
        self._gate.guard(port)
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, WebSocketProtocol):
            protocol.connection = Connection(protocol, scope)
            scope["extensions"] = {EXTENSION: protocol.connection, "websocket.http.response": {}}
            # What daphne's own does, with a smaller queue: its asyncio.Queue is an eighth of an idle connection.
            inbox = protocol.connection.inbox
            scope["scheme"] = "wss" if interfaces.ISSLTransport.providedBy(protocol.transport) else "ws"
            scope["asgi"] = {"version": "3.0"}
            running = self.application(scope=scope, receive=inbox.get, send=partial(self.handle_reply, protocol))
            self.connections[protocol]["application_instance"] = asyncio.ensure_future(running)
            return inbox
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        await super().handle_reply(protocol, message)
        if message.get("more_body") and isinstance(protocol, Request):
            # Else an application would pour out an answer as fast as it can, whoever takes it.
            await protocol.until_taken()

    def timeout_checker(self) -> None:
        for protocol in [*self.connections]:
            protocol.check_timeouts()
        reactor.callLater(SWEEP_SECONDS, self.timeout_checker)

    def kill_all_applications(self) -> Any:
        """The end of this process: see hubbub.server.drain.

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


class AccessLog(AccessLogGenerator):  # type: ignore[misc]
    """daphne's, where a request's line is bounded and stays one line."""

    def write_entry(self, host: Any, date: Any, request: str, **more: Any) -> None:
        cut = request if len(request) <= ACCESS_CHARS else f"{request[:ACCESS_CHARS]}…"
        super().write_entry(host, date, "".join(one if one.isprintable() else repr(one)[1:-1] for one in cut), **more)


cli.AccessLogGenerator = AccessLog


class Cli(CommandLineInterface):  # type: ignore[misc]
    """daphne's command line, with the tunables for what it leaves open."""

    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        # How long a socket may live is no matter of its server.
        self.parser.set_defaults(websocket_connect_timeout=HANDSHAKE_SECONDS, websocket_timeout=-1)

    def run(self, args: Sequence[str]) -> None:
        os.umask(0o077)  # The database and the sockets that it makes are for its user only.
        given = self.parser.parse_args(args)
        # Only the application says where the settings are: daphne, which imports it later, then finds it imported.
        sys.path.insert(0, ".")
        self.load_asgi_app(given.application)
        tunables = conf.settings()
        # Either way, for whatever runs there. What comes for our consumers is bounded by `frame_bytes` alone.
        most = max(tunables.frame_bytes, tunables.sent_frame_bytes)
        self.parser.set_defaults(
            ping_interval=tunables.ping_seconds,
            ping_timeout=tunables.ping_timeout_seconds,
            websocket_max_message_size=most,
            websocket_max_frame_size=most,
        )
        for host in self._hosts(given):
            for warning in check_address(host):
                logger.warning("%s", warning)
        for warning in check_descriptors():
            logger.warning("%s", warning)
        try:
            claim_at_start()
        except REFUSALS as error:
            sys.exit(str(error))
        super().run(args)

    def _hosts(self, given: Namespace) -> Iterator[str]:
        """Those it is told to listen on. None by default, which is this machine's own, nor for what was handed over."""
        if given.host:
            yield given.host
        for endpoint in given.socket_strings:
            kind, *parts = re.split(r"(?<!\\):", endpoint)
            if kind in ("tcp", "ssl"):
                named = (part.removeprefix("interface=") for part in parts if part.startswith("interface="))
                yield next(named, "").replace("\\", "") or "0.0.0.0"  # noqa: S104 - where it listens then
