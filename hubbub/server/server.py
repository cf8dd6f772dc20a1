"""A subclass of daphne with ready frames, all close codes, close reasons, limits and an orderly end.

`python -m hubbub.server [daphne's options] project.asgi:application`

It uses daphne's extension points (`CommandLineInterface.server_class`, `Server`), and sets the WebSocket protocol class
through `ws_factory`, which `Server.run` assigns. Undocumented internals that it needs are listed in `INTERNALS`;
tests/hubbub/test_server.py fails when an upgrade changes one of them.
"""

import asyncio
import gc
import logging
import os
import re
import socket
import sys
import threading
from argparse import Namespace
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, NoReturn

import hubbub.server.event_loop  # noqa: F401 - before daphne is imported  # isort: skip

from daphne import cli
from daphne.access import AccessLogGenerator
from daphne.cli import CommandLineInterface
from daphne.server import Server as DaphneServer
from twisted.internet import defer, interfaces, reactor, unix

from hubbub import conf
from hubbub.checks import check_address, check_descriptors, start_refusal
from hubbub.delivery.asgi_outbox import DIRECT_EXTENSION
from hubbub.delivery.outbox import CLOSE_SECONDS, EXTENSION
from hubbub.process.descriptors import DescriptorGuard, raise_limit, required_descriptors
from hubbub.process.importing import CannotImport, checked_application, load
from hubbub.process.ports import BACKLOG
from hubbub.process.refusals import REFUSED, BadDeclaration, CannotServe
from hubbub.server.connection_limits import SWEEP_SECONDS
from hubbub.server.console import log_to_console
from hubbub.server.drain import drain
from hubbub.server.http import HttpFactory, Request
from hubbub.server.websocket import WebSocketProtocol
from hubbub.server.websocket_connection import FAST_TRANSPORTS, Connection
from hubbub.site.lease import REFUSALS, claim_at_start

logger = logging.getLogger(__name__)

# Time for the application to answer a handshake. In daphne's 5 s the wait for a hanging database would not fit: the
# client would get an error instead of a request to retry.
HANDSHAKE_SECONDS = 10

ACCESS_CHARS = 500  # Length of a request in the access log.

TIMEOUT_CHECK_SECONDS = 1.0  # Between two checks of timeouts and pings of all connections.

THREADS_END_SECONDS = 0.5  # For threads to end after the drain.

INTERNALS = {
    "twisted.internet.abstract.FileDescriptor": ("dataBuffer", "_tempDataBuffer", "_tempDataLen", "disconnecting"),
    "autobahn.websocket.protocol.WebSocketProtocol": ("sendCloseFrame", "dropConnection", "STATE_OPEN", "send_queue"),
    "daphne.server.Server": ("connections", "endpoints", "ws_factory", "application_instance"),
}


class Server(DaphneServer):  # type: ignore[misc]
    """daphne's server with this package's protocols, limits and drain."""

    @property
    def http_factory(self) -> Any:
        return self._http_factory

    @http_factory.setter
    def http_factory(self, factory: Any) -> None:
        self._http_factory = HttpFactory(self)
        self._descriptor_guard = DescriptorGuard(self._limit, self._http_factory.connections)
        reactor.callLater(SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        reactor.callLater(SWEEP_SECONDS, self._sweep)
        self._http_factory.connections.sweep()

    @property
    def ws_factory(self) -> Any:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: Any) -> None:
        factory.protocol = WebSocketProtocol
        # failByDrop would cut the connection without a close frame for a message that is too big or not UTF-8.
        # A distant client needs more than autobahn's one second to answer a close frame.
        factory.setProtocolOptions(failByDrop=False, closeHandshakeTimeout=CLOSE_SECONDS)
        self._ws_factory = factory

    # False during the drain: handshakes are refused.
    accepts_sockets = True

    def run(self) -> None:
        tunables = conf.settings()
        wanted = required_descriptors(sockets=tunables.max_sockets, connections=tunables.max_connections)
        self._limit = raise_limit(wanted)
        for endpoint in self.endpoints:
            if passed := re.fullmatch(r"fd:fileno=(\d+)", endpoint):
                # The inherited socket is bound; it listens only now that the reactor can accept.
                with socket.socket(fileno=int(passed[1])) as listener:
                    listener.listen(BACKLOG)
                    listener.detach()
        super().run()
        # The interpreter waits for its threads at exit, even for one that hangs in a query.
        timer = threading.Timer(THREADS_END_SECONDS, _exit_now)
        timer.daemon = True
        timer.start()

    def listen_success(self, port: Any) -> None:
        self._ports = [*getattr(self, "_ports", ()), port]
        self._descriptor_guard.guard(port)
        super().listen_success(port)

    def create_application(self, protocol: Any, scope: dict[str, Any]) -> Any:
        if isinstance(protocol, WebSocketProtocol):
            protocol.connection = Connection(protocol, scope)
            scope["extensions"] = {EXTENSION: protocol.connection, "websocket.http.response": {}}
            # As daphne does, with a smaller queue: an asyncio.Queue is an eighth of an idle connection's memory.
            inbox = protocol.connection.inbox
            scope["scheme"] = "wss" if interfaces.ISSLTransport.providedBy(protocol.transport) else "ws"
            scope["asgi"] = {"version": "3.0"}
            application = self.application(scope=scope, receive=inbox.get, send=partial(self.handle_reply, protocol))
            self.connections[protocol]["application_instance"] = asyncio.ensure_future(application)
            return inbox
        scope["extensions"] = {DIRECT_EXTENSION: protocol}
        return super().create_application(protocol, scope)

    async def handle_reply(self, protocol: Any, message: dict[str, Any]) -> None:
        await super().handle_reply(protocol, message)
        if message.get("more_body") and isinstance(protocol, Request):
            # Otherwise an application could send an answer faster than its client reads it.
            await protocol.wait_drained()

    def timeout_checker(self) -> None:
        for protocol in [*self.connections]:
            protocol.check_timeouts()
        reactor.callLater(TIMEOUT_CHECK_SECONDS, self.timeout_checker)

    def kill_all_applications(self) -> Any:
        """End this process in order: see hubbub.server.drain.

        daphne's method cuts the sockets, and fails if a handshake came within the last second.
        """
        return defer.Deferred.fromFuture(asyncio.ensure_future(drain(self)))

    # For the drain

    def stop_listening(self) -> None:
        """Stop listening on the network. The supervisor still probes this process on UNIX sockets."""
        for port in getattr(self, "_ports", ()):
            if not isinstance(port, unix.Port):
                port.stopListening()

    def sockets(self) -> list[Connection]:
        """Return the sockets that are connected or in their handshake."""
        return [
            protocol.connection
            for protocol, details in self.connections.items()
            if isinstance(protocol, WebSocketProtocol) and protocol.connection and "disconnected" not in details
        ]

    def applications(self) -> list[Any]:
        """Return the running tasks of consumers and requests."""
        tasks = (details.get("application_instance") for details in self.connections.values())
        return [task for task in tasks if task is not None and not task.done()]

    def is_transferring(self) -> bool:
        """Whether a request is arriving, or a finished answer is being sent."""
        arriving = any(
            isinstance(protocol, Request) and not {"disconnected", "application_instance"} & details.keys()
            for protocol, details in self.connections.items()
        )
        return arriving or any(isinstance(writer, FAST_TRANSPORTS) for writer in reactor.getWriters())


def _refuse(line: str) -> NoReturn:
    """End with the line, and with a status that says: a restart does not help (`up`, systemd's RestartPrevent…)."""
    sys.stderr.write(f"{line}\n")
    sys.exit(REFUSED)


def _exit_now() -> None:
    logger.warning("shutdown: threads still running, exiting without them")
    os._exit(0)


class AccessLog(AccessLogGenerator):  # type: ignore[misc]
    """daphne's access log with bounded lines, in which a request cannot start a new line."""

    def write_entry(self, host: Any, date: Any, request: str, **more: Any) -> None:
        cut = request if len(request) <= ACCESS_CHARS else f"{request[:ACCESS_CHARS]}…"
        line = "".join(character if character.isprintable() else repr(character)[1:-1] for character in cut)
        super().write_entry(host, date, line, **more)


cli.AccessLogGenerator = AccessLog


class Cli(CommandLineInterface):  # type: ignore[misc]
    """daphne's command line, with defaults from the tunables."""

    server_class = Server

    def __init__(self) -> None:
        super().__init__()
        # No time limit for an open socket.
        self.parser.set_defaults(websocket_connect_timeout=HANDSHAKE_SECONDS, websocket_timeout=-1)

    def run(self, args: Sequence[str]) -> None:
        os.umask(0o077)  # The database and the sockets that it creates are for its user only.
        arguments = self.parser.parse_args(args)
        # The application sets Django's settings module. daphne imports it later, and then finds it imported.
        sys.path.insert(0, ".")
        try:
            self.load_asgi_app(arguments.application)
        except (BadDeclaration, CannotImport, CannotServe) as error:
            _refuse(str(error))
        if line := start_refusal():
            _refuse(line)
        log_to_console(arguments.verbosity, arguments.log_fmt)
        tunables = conf.settings()
        # For both directions and any consumer; frames to consumers of this package are limited to `frame_bytes`.
        max_bytes = max(tunables.frame_bytes, tunables.sent_frame_bytes)
        self.parser.set_defaults(
            ping_interval=tunables.ping_seconds,
            ping_timeout=tunables.ping_timeout_seconds,
            websocket_max_message_size=max_bytes,
            websocket_max_frame_size=max_bytes,
        )
        for host in self._hosts(arguments):
            for warning in check_address(host):
                logger.warning("%s", warning)
        for warning in check_descriptors():
            logger.warning("%s", warning)
        try:
            claim_at_start()
        except REFUSALS as error:
            sys.exit(str(error))
        gc.enable()  # Disabled in __main__.
        super().run(args)

    def load_asgi_app(self, asgi_app_path: str) -> Any:
        """As daphne's: return the application of `module:name`. Raises CannotImport, with one line."""
        module, _, name = asgi_app_path.partition(":")
        if not module or not name:
            raise CannotImport(f"{asgi_app_path!r} is no application: write mysite.asgi:application.")
        return checked_application(asgi_app_path, load(asgi_app_path, module, name))

    def _hosts(self, arguments: Namespace) -> Iterator[str]:
        """The hosts of the command line; none for the default, 127.0.0.1, and for inherited sockets."""
        if arguments.host:
            yield arguments.host
        for endpoint in arguments.socket_strings:
            kind, *parts = re.split(r"(?<!\\):", endpoint)
            if kind in ("tcp", "ssl"):
                interfaces = (part.removeprefix("interface=") for part in parts if part.startswith("interface="))
                yield next(interfaces, "").replace("\\", "") or "0.0.0.0"  # noqa: S104 - Twisted's default
