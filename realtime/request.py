"""HTTP requests as our server takes them: what daphne stumbles over or believes from anyone never gets that far.

Installed by realtime.server. A request has a bounded time to arrive and a bounded size.
"""

import re
from typing import Any

from daphne.http_protocol import HTTPFactory as DaphneHTTPFactory
from daphne.http_protocol import WebRequest
from twisted.web import http

from realtime import conf

METHOD = re.compile(rb"[A-Z]{1,20}")


class Request(WebRequest):  # type: ignore[misc]
    """One request, which becomes a WebSocket if it asks for that."""

    _received_bytes = 0
    _is_refused = False

    def gotLength(self, length: int | None) -> None:
        super().gotLength(length)
        self._bound(length or 0)

    def handleContentChunk(self, data: bytes) -> None:
        self._received_bytes += len(data)
        self._bound(self._received_bytes)
        if not self._is_refused:
            super().handleContentChunk(data)

    def process(self) -> Any:
        # daphne takes the path that the site lies under from this, whoever sent it.
        self.requestHeaders.removeHeader(b"daphne-root-path")
        # What daphne reads as ASCII, with a traceback for anything else.
        protocols = self.requestHeaders.getRawHeaders(b"sec-websocket-protocol", [])
        if not METHOD.fullmatch(self.method) or not all(one.isascii() for one in protocols):
            self._refuse(400, "Bad Request")
        # What was refused before may have come whole in the same packet.
        return None if self._is_refused else super().process()

    def _bound(self, size: int) -> None:
        if size > conf.settings().request_bytes:
            self._refuse(413, "Content Too Large")

    def _refuse(self, status: int, reason: str) -> None:
        if self._is_refused:
            return
        self._is_refused = True
        self.channel.transport.write(f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\n\r\n".encode())
        self.channel.loseConnection()


class Channel(http.HTTPChannel):  # type: ignore[misc]
    """A connection. Its time limit is for a request as a whole, with the pause before it."""

    def resetTimeout(self) -> None:
        # Twisted gives a client that sends one byte now and then all the time in the world.
        pass


class HttpFactory(DaphneHTTPFactory):  # type: ignore[misc]
    protocol = Channel

    def __init__(self, server: Any) -> None:
        super().__init__(server)
        self.timeOut = conf.settings().request_seconds

    def buildProtocol(self, address: Any) -> Any:
        channel = super().buildProtocol(address)
        channel.requestFactory = Request
        return channel

    def acceptableProtocols(self) -> list[bytes]:
        return [b"http/1.1"]
