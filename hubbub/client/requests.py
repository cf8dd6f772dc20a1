"""Requests of one client by HTTP/1.1: each on a connection that is kept for a moment, for the next one."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

from hubbub.client.http_opening import OpenStreams, Streams
from hubbub.client.http_response import Response, read_response

# Shorter than any server keeps one, so that no request meets its end.
KEPT_SECONDS = 2.0
MAX_KEPT = 4
MAX_ANSWER_BYTES = 8 << 20


class Requests:
    """Requests below one address.

    Args:
        url: of the address, with a slash at its end.
        headers: of each request.
        open_streams: opens a connection.
    """

    def __init__(self, url: str, headers: Mapping[str, str], open_streams: OpenStreams) -> None:
        self._url = url
        self._parts = urlsplit(url)
        self._headers = {"Host": self._parts.netloc, **headers}
        self._open_streams = open_streams
        self._kept: list[tuple[float, Streams]] = []
        self._open: set[asyncio.StreamWriter] = set()
        self._is_over = False

    async def stream(self, target: str, headers: Mapping[str, str]) -> tuple[Response, asyncio.StreamWriter]:
        """GET an answer without an end; `abort` of its writer's transport ends it. Raises OSError."""
        reader, writer = await self._connect()
        try:
            writer.write(self._head("GET", target, headers))
            await writer.drain()
            return await read_response(reader), writer
        except BaseException:
            self._abort(writer)
            raise

    async def post(self, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Response, bytes]:
        """POST, and read the whole answer. Raises OSError."""
        streams = self._take_kept() or await self._connect()
        reader, writer = streams
        try:
            writer.write(self._head("POST", target, {**headers, "Content-Length": str(len(body))}) + body)
            await writer.drain()
            response = await read_response(reader)
            answer = await response.body(MAX_ANSWER_BYTES)
        except BaseException:
            self._abort(writer)
            raise
        if response.is_kept and len(self._kept) < MAX_KEPT and not self._is_over:
            self._kept.append((asyncio.get_running_loop().time(), streams))
        else:
            self._abort(writer)  # All has arrived.
        return response, answer

    def abort(self) -> None:
        """End all connections. Requests under way raise OSError."""
        self._is_over = True
        for writer in [*self._open]:
            self._abort(writer)

    @property
    def unsent_bytes(self) -> int:
        """Of requests that have not left the machine."""
        return sum(writer.transport.get_write_buffer_size() for writer in self._open)

    async def _connect(self) -> Streams:
        if self._is_over:
            raise ConnectionAbortedError("the connection was given up")
        reader, writer = await self._open_streams(self._url)
        if self._is_over:
            writer.transport.abort()
            raise ConnectionAbortedError("the connection was given up")
        self._open.add(writer)
        return reader, writer

    def _take_kept(self) -> Streams | None:
        """A connection that the server has not closed."""
        since = asyncio.get_running_loop().time() - KEPT_SECONDS
        while self._kept:
            kept_at, (reader, writer) = self._kept.pop()
            if kept_at > since and not reader.at_eof() and not writer.is_closing():
                return reader, writer
            self._abort(writer)
        return None

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        self._open.discard(writer)
        writer.transport.abort()

    def _head(self, method: str, target: str, headers: Mapping[str, str]) -> bytes:
        lines = [f"{method} {self._parts.path}{target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in {**self._headers, **headers}.items()]
        return "\r\n".join([*lines, "", ""]).encode("ascii")
