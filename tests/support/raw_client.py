"""A raw client: handshakes and frames that no client library would send, and the answers."""

import asyncio
import json
import os
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.support.servers import Server

SECONDS = 30.0
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CONTINUATION = 0


@dataclass
class Raw:
    """A TCP connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def send(self, *pieces: bytes) -> None:
        self.writer.write(b"".join(pieces))

    async def head(self, seconds: float = SECONDS) -> bytes:
        """The head of an HTTP answer."""
        async with asyncio.timeout(seconds):
            return await self.reader.readuntil(b"\r\n\r\n")

    async def status(self) -> int:
        return int((await self.head()).split(b" ")[1])

    async def rest(self, seconds: float = SECONDS) -> bytes:
        """All bytes until the other side closes."""
        try:
            async with asyncio.timeout(seconds):
                return await self.reader.read()
        except ConnectionResetError:
            return b""

    async def frame(self, seconds: float = SECONDS) -> tuple[int, bytes]:
        """The next frame: (opcode, payload). EOFError when the other side has closed without one."""
        async with asyncio.timeout(seconds):
            first, second = await self._exactly(2)
            size = second & 0x7F
            if size >= 126:
                size = int.from_bytes(await self._exactly(2 if size == 126 else 8))
            return first & 0x0F, await self._exactly(size)

    async def close_code(self, seconds: float = SECONDS) -> int:
        """The close code, after all other frames; 1006 without a close frame."""
        async with asyncio.timeout(seconds):
            try:
                while (frame := await self.frame(seconds))[0] != CLOSE:
                    pass
            except EOFError:
                return 1006
            return int.from_bytes(frame[1][:2]) if frame[1] else 1005

    async def _exactly(self, size: int) -> bytes:
        try:
            return await self.reader.readexactly(size)
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise EOFError from None


def frame(
    opcode: int, payload: bytes = b"", *, first: int = 0x80, masked: bool = True, size: int | None = None
) -> bytes:
    """A client's frame, see RFC 6455 section 5.2. `first`: the bits beside the opcode; `size`: a false one."""
    size = len(payload) if size is None else size
    mask_bit = 0x80 if masked else 0
    if size < 126:
        head = struct.pack("!BB", first | opcode, mask_bit | size)
    elif size < 65536:
        head = struct.pack("!BBH", first | opcode, mask_bit | 126, size)
    else:
        head = struct.pack("!BBQ", first | opcode, mask_bit | 127, size)
    if not masked:
        return head + payload
    mask = os.urandom(4)
    long = (mask * (len(payload) // 4 + 1))[: len(payload)]
    return head + mask + (int.from_bytes(payload) ^ int.from_bytes(long)).to_bytes(len(payload))


def handshake(server: Server, path: str = "/ws/chat/", *lines: str) -> bytes:
    """A valid opening handshake. Each line adds a header or replaces the one of its name."""
    headers = {
        "host": f"Host: 127.0.0.1:{server.port}",
        "upgrade": "Upgrade: websocket",
        "connection": "Connection: Upgrade",
        "sec-websocket-version": "Sec-WebSocket-Version: 13",
        "sec-websocket-key": "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    }
    given = {line.partition(":")[0].lower() for line in lines}
    remaining = [line for name, line in headers.items() if name not in given]
    return "\r\n".join([f"GET {path} HTTP/1.1", *remaining, *lines, "", ""]).encode("latin-1")


@asynccontextmanager
async def connected(server: Server) -> AsyncIterator[Raw]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def opened(server: Server, cookie: str, path: str = "/ws/chat/") -> AsyncIterator[Raw]:
    """A socket after its `hello`, or without a cookie after its `auth.required`."""
    async with connected(server) as raw:
        who = [f"Cookie: sessionid={cookie}", f"Origin: {server.url}"] if cookie else []
        raw.send(handshake(server, path, *who))
        assert await raw.status() == 101
        opcode, first = await raw.frame()
        assert opcode == TEXT
        assert json.loads(first)["type"] == ("hello" if cookie else "auth.required")
        yield raw


async def answered(server: Server, request: bytes) -> tuple[int, bytes]:
    """The status of the answer to a request, and the answer up to the close or a whole head."""
    async with connected(server) as raw:
        raw.send(request)
        head = await raw.head()
        return int(head.split(b" ")[1]), head
