"""Daphne with what its own command line cannot be told: close reasons, every close code, an orderly end.

`python -m realtime.server [daphne's options] project.asgi:application`

Built on daphne's extension points (`CommandLineInterface.server_class`, `Server`); its WebSocket protocol class is set
through `ws_factory`, which `Server.run` assigns. Relies on autobahn's `sendCloseFrame` and `STATE_OPEN`, and on
daphne's `connections` and `ws_factory`; tests/realtime/test_server.py fails when an upgrade moves them.
"""

from typing import Any

from daphne.cli import CommandLineInterface
from daphne.server import Server as DaphneServer
from daphne.ws_protocol import WebSocketProtocol as DaphneWebSocketProtocol
from twisted.internet import defer, reactor

from realtime.protocol import CloseCode

LATECOMER_SECONDS = 0.2  # A connection that was accepted just before the end has its request still on the way.
CLOSE_SECONDS = 3.0  # For the clients' close frames and the consumers' cleanup at the end of a process.


class WebSocketProtocol(DaphneWebSocketProtocol):  # type: ignore[misc]
    def handle_reply(self, message: dict[str, Any]) -> None:
        if message["type"] == "websocket.close" and self.state == self.STATE_OPEN:
            self.close_with(message.get("code") or 1000, message.get("reason") or "")
        else:
            super().handle_reply(message)

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
    def ws_factory(self) -> Any:
        return self._ws_factory

    @ws_factory.setter
    def ws_factory(self, factory: Any) -> None:
        factory.protocol = WebSocketProtocol
        # Otherwise what is too big or not UTF-8 cuts the connection without a close frame.
        factory.setProtocolOptions(failByDrop=False)
        self._ws_factory = factory

    def listen_success(self, port: Any) -> None:
        self._ports = [*getattr(self, "_ports", ()), port]
        super().listen_success(port)

    def kill_all_applications(self) -> Any:
        """Stop listening, tell every client that this process restarts, wait for the cleanup, cancel what is left.

        Daphne's own cuts the sockets and fails when a handshake came within its last second.
        """
        for port in getattr(self, "_ports", ()):
            port.stopListening()
        ended: defer.Deferred[None] = defer.Deferred()
        now = reactor.seconds()
        self._await_applications(ended, now + LATECOMER_SECONDS, now + CLOSE_SECONDS)
        return ended

    def _await_applications(self, ended: "defer.Deferred[None]", earliest: float, latest: float) -> None:
        for protocol in list(self.connections):
            if isinstance(protocol, WebSocketProtocol):
                protocol.close_with(CloseCode.RESTART, "Restart")
        left = [one for one in self._applications() if not one.done()]
        now = reactor.seconds()
        if now < earliest or (left and now < latest):
            reactor.callLater(0.05, self._await_applications, ended, earliest, latest)
            return
        for application in left:
            application.cancel()
        # A cancelled application runs its cleanup in the loop's next rounds.
        reactor.callLater(0.1 if left else 0, ended.callback, None)

    def _applications(self) -> list[Any]:
        return [
            details["application_instance"]
            for details in self.connections.values()
            if "application_instance" in details
        ]


class Cli(CommandLineInterface):  # type: ignore[misc]
    server_class = Server


if __name__ == "__main__":
    Cli.entrypoint()
