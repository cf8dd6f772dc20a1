"""HTTP requests of the server: bounded in time and size, and without input that daphne mishandles or trusts.

Installed by hubbub.server.
"""

import re
from http import HTTPStatus
from typing import Any

from daphne.http_protocol import HTTPFactory as DaphneHTTPFactory
from daphne.http_protocol import WebRequest

from hubbub import conf
from hubbub.process.metrics import COUNTERS
from hubbub.server.connection import Channel
from hubbub.server.connection_limits import Connections
from hubbub.server.websocket_connection import FAST_TRANSPORTS

# Twisted lacks the reason phrases that are newer than RFC 2616.
REASONS = {status.value: status.phrase.encode() for status in HTTPStatus}
METHOD = re.compile(rb"[A-Z]{1,20}")


class Request(WebRequest):  # type: ignore[misc]
    """One request; with `Upgrade: websocket` it becomes a WebSocket."""

    _received_bytes = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        self._check_size(length or 0)

    def setResponseCode(self, code: int, message: bytes | None = None) -> None:
        super().setResponseCode(code, message or REASONS.get(code))

    def handleContentChunk(self, data: bytes) -> None:
        self._received_bytes += len(data)
        self.channel.factory.bodies_bytes += len(data)
        self._check_size(self._received_bytes)
        if not self._is_refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        # daphne would use this header of any client as the root path of the site.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        # daphne decodes both as ASCII, and fails with a traceback.
        protocols = self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])
        if not METHOD.fullmatch(self.method) or not all(protocol.isascii() for protocol in protocols):
            self._refuse(400, "Bad Request")
        # A refused request may be complete in the same packet.
        if self._is_refused:
            return None
        channel = self.channel
        done = super().process()
        if self.transport is None:
            channel.upgraded()
        return done

    async def wait_drained(self) -> None:
        """See `Channel.wait_drained`."""
        if (channel := getattr(self, "channel", None)) is not None:
            await channel.wait_drained()

    # hubbub.delivery.asgi_outbox.Direct

    def is_clear(self) -> bool:
        channel: Any = self.channel
        if channel is None or not self.chunked or self.finished:
            return False
        transport = channel.transport
        is_empty = not transport._tempDataLen and not transport.dataBuffer
        return is_empty and type(transport) in FAST_TRANSPORTS and not transport.disconnecting

    def write_now(self, body: bytes) -> None:
        self.sentLength += len(body)
        chunk = b"%x\r\n%b\r\n" % (len(body), body)
        try:
            sent = self.channel.transport.socket.send(chunk)
        except OSError:
            sent = 0  # Full or closed: the transport finds out which.
        if sent < len(chunk):
            self.channel.write(chunk[sent:])

    def finish(self) -> None:
        self._release()
        super().finish()

    def connectionLost(self, reason: Any) -> None:
        self._release()
        super().connectionLost(reason)

    def _release(self) -> None:
        if self._received_bytes and self.channel is not None:
            self.channel.factory.bodies_bytes -= self._received_bytes
            self._received_bytes = 0

    def _check_size(self, size: int) -> None:
        tunables = conf.settings()
        if size > tunables.request_bytes:
            text = f"The request is too large: this site takes {tunables.request_bytes} bytes.\n"
            self._refuse(413, "Content Too Large", "Content-Type: text/plain", text=text)
        elif self.channel.factory.bodies_bytes > tunables.bodies_bytes and not self._is_refused:
            COUNTERS.limited["bodies_bytes"] += 1
            self._refuse(503, "Service Unavailable", "Retry-After: 5")

    def _refuse(self, status: int, reason: str, *headers: str, text: str = "") -> None:
        if not self._is_refused:
            self._is_refused = True
            self.channel.refuse(status, reason, *headers, text=text)


class HttpFactory(DaphneHTTPFactory):  # type: ignore[misc]
    """Makes the HTTP connections of the process, and counts the bytes of their request bodies."""

    protocol = Channel

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        tunables = conf.settings()
        self.timeOut = tunables.request_seconds
        self.connections = Connections(tunables)
        # Bodies of requests that arrive or are being served.
        self.bodies_bytes = 0

    def buildProtocol(self, address: Any) -> Any:
        channel = super().buildProtocol(address)
        channel.requestFactory = Request
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]
