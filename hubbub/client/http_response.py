"""Reads answers of HTTP/1.1, strictly: what is ambiguous or has no bound is an error. RFC 9112."""

import asyncio
import re
from collections.abc import AsyncIterator

# Of the head of an answer, and of what a reader takes ahead.
MAX_HEAD_BYTES = 64 * 1024
PART_BYTES = 64 * 1024
MAX_INTERIM = 8
MAX_TRAILERS = 64

STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9]{2})(?: [^\r\n]*)?")
HEADER = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\0]*)")
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class BadResponse(OSError):
    """The answer is no HTTP/1.1, or has ended too early."""


class Response:
    """An answer, whose body is read from `reader`.

    Attributes:
        status: the number.
        headers: by their names in lower case; those of one name are joined by commas.
        is_kept: the connection takes another request after the body.
    """

    def __init__(self, reader: asyncio.StreamReader, status: int, headers: dict[str, str], minor: int) -> None:
        self.status = status
        self.headers = headers
        self._reader = reader
        coding = headers.get("transfer-encoding", "").lower()
        length = headers.get("content-length")
        if coding not in ("", "chunked") or (coding and length is not None) or (coding and not minor):
            raise BadResponse("an answer with an unclear length")
        if length is not None and not (length.isascii() and length.isdecimal() and len(length) < 16):
            raise BadResponse("an answer with a wrong length")
        self._is_chunked = bool(coding)
        self._length = 0 if status in (204, 304) else None if length is None else int(length)
        options = {option.strip().lower() for option in headers.get("connection", "").split(",")}
        self.is_kept = bool(minor) and "close" not in options and (self._is_chunked or self._length is not None)

    async def parts(self) -> AsyncIterator[bytes]:
        """The body, as it arrives."""
        if not self._is_chunked:
            async for part in self._up_to(self._length):
                yield part
            return
        while size := await self._chunk_size():
            async for part in self._up_to(size):
                yield part
            if await self._line() != b"\r\n":
                raise BadResponse("a chunk with a wrong length")
        for _ in range(MAX_TRAILERS):
            if await self._line() == b"\r\n":
                return
        raise BadResponse("too many trailers")

    async def body(self, limit: int) -> bytes:
        """The whole body. Raises BadResponse: it is longer than `limit`."""
        found = bytearray()
        async for part in self.parts():
            found += part
            if len(found) > limit:
                raise BadResponse("the answer is too long")
        return bytes(found)

    async def _up_to(self, length: int | None) -> AsyncIterator[bytes]:
        """So many bytes; None: all until the end of the connection."""
        while length != 0:
            part = await self._reader.read(PART_BYTES if length is None else min(length, PART_BYTES))
            if not part:
                if length is None:
                    return
                raise BadResponse("the answer has ended too early")
            if length is not None:
                length -= len(part)
            yield part

    async def _chunk_size(self) -> int:
        found = CHUNK_SIZE.fullmatch(await self._line())
        if found is None:
            raise BadResponse("a chunk without a length")
        return int(found[1], 16)

    async def _line(self) -> bytes:
        return await _until(self._reader, b"\r\n")


async def read_response(reader: asyncio.StreamReader, *, is_connect: bool = False) -> Response:
    """Read the head of an answer. `is_connect`: to the request of a tunnel. Raises BadResponse, ConnectionError."""
    for _ in range(MAX_INTERIM):
        first, *lines = (await _until(reader, b"\r\n\r\n"))[:-4].split(b"\r\n")
        found = STATUS_LINE.fullmatch(first)
        if found is None:
            raise BadResponse("the server does not speak HTTP/1.1")
        headers: dict[str, str] = {}
        for line in lines:
            header = HEADER.fullmatch(line)
            if header is None:
                raise BadResponse("an answer with a broken header")
            name, value = header[1].decode().lower(), header[2].decode("latin-1").strip()
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        status = int(found[2])
        if status >= 200:
            if is_connect and status < 300:
                headers = {}  # They mean nothing there.
            return Response(reader, status, headers, int(found[1]))
        if status == 101:
            break
    raise BadResponse("the server does not answer the request")


async def _until(reader: asyncio.StreamReader, end: bytes) -> bytes:
    try:
        return await reader.readuntil(end)
    except asyncio.IncompleteReadError:
        raise BadResponse("the answer has ended too early") from None
    except asyncio.LimitOverrunError:
        raise BadResponse("the head of the answer is too long") from None
