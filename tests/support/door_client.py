"""An HTTP client for tests of the doors: requests, and streams of server-sent events, read as a browser reads them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit

SECONDS = 20.0

Frame = dict[str, Any]


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Frame:
        found: Frame = json.loads(self.body)
        return found


@dataclass
class Stream:
    """An open stream: its frames in order, the newest id, and the close that the server sent."""

    reader: asyncio.StreamReader
    headers: dict[str, str]
    id: str = ""
    frames: list[Frame] = field(default_factory=list)
    comments: int = 0
    close: Frame | None = None
    is_over: bool = False
    _rest: bytes = b""

    async def frame(self, kind: str, seconds: float = SECONDS, **fields: Any) -> Frame:
        """Wait for the next frame of this type with these fields; others before it stay in `frames`."""
        async with asyncio.timeout(seconds):
            while True:
                for number, frame in enumerate(self.frames):
                    if frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items()):
                        return self.frames.pop(number)
                if self.is_over:
                    raise EOFError(f"the stream has ended without {kind}: {self.frames}, {self.close}")
                await self.read()

    async def ended(self, seconds: float = SECONDS) -> Frame | None:
        """Wait for the end; return what the server said at the close."""
        async with asyncio.timeout(seconds):
            while not self.is_over:
                await self.read()
        return self.close

    async def read(self) -> None:
        """Read the next chunk of the body, and the blocks that are complete."""
        try:
            size = int(await self.reader.readline() or b"0", 16)
            chunk = (await self.reader.readexactly(size + 2))[:-2] if size else b""
        except (asyncio.IncompleteReadError, ConnectionError):
            size, chunk = 0, b""
        self.is_over = not size
        *blocks, self._rest = (self._rest + chunk).split(b"\n\n")
        for block in blocks:
            self._take(block.decode())

    def _take(self, block: str) -> None:
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if not lines:
            self.comments += 1
        if "id" in lines:
            self.id = lines["id"]
        if lines.get("event") == "close":
            self.close = json.loads(lines["data"])
        elif "data" in lines:
            self.frames.append(json.loads(lines["data"]))


@dataclass
class Door:
    """The doors of one server.

    Attributes:
        url: of the site.
        headers: of each request, such as a sign-in.
        unix_socket: the private socket of one process; "": the site's port.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    unix_socket: str = ""

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        reader, writer = await self._send(method, path, body, {"Connection": "close", **(headers or {})})
        try:
            async with asyncio.timeout(SECONDS):
                status, found = await _head(reader)
                return Answer(status, found, await reader.read())
        finally:
            writer.close()

    async def state(self, topic: str, **headers: str) -> Answer:
        return await self.request("GET", f"/live/state?{urlencode({'topic': topic})}", headers=headers)

    async def command(
        self, kind: str, *, stream: str | None = None, headers: Mapping[str, str] | None = None, **fields: Any
    ) -> Answer:
        query = "" if stream is None else f"?{urlencode({'stream': stream})}"
        body = json.dumps({"type": kind, "ref": 1, **fields}).encode()
        return await self.request(
            "POST", f"/live/command{query}", body, {"Content-Type": "application/json", **(headers or {})}
        )

    @asynccontextmanager
    async def stream(self, *topics: str, resume: str = "", **headers: str) -> AsyncIterator[Stream]:
        if resume:
            headers["Last-Event-ID"] = resume
        query = urlencode([("topic", topic) for topic in topics])
        reader, writer = await self._send("GET", f"/live/events?{query}", b"", headers)
        try:
            async with asyncio.timeout(SECONDS):
                status, found = await _head(reader)
            assert status == 200, (status, await reader.read(1000))
            yield Stream(reader, found)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    async def _send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        parts = urlsplit(self.url)
        if self.unix_socket:
            reader, writer = await asyncio.open_unix_connection(self.unix_socket, limit=1 << 20)
        else:
            reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=1 << 20)
        all_headers = {"Host": parts.netloc, **self.headers, **headers}
        if body:
            all_headers.setdefault("Content-Length", str(len(body)))
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {value}" for name, value in all_headers.items()), "", ""]
        writer.write("\r\n".join(lines).encode() + body)
        return reader, writer


def by_token(url: str, token: str, unix_socket: str = "") -> Door:
    return Door(url, {"Authorization": f"Bearer {token}"}, unix_socket)


def by_cookie(url: str, cookie: str, unix_socket: str = "") -> Door:
    """As a page of the site: a browser sends both with its requests."""
    headers = {"Cookie": f"sessionid={cookie}", "Sec-Fetch-Site": "same-origin"}
    return Door(url, headers, unix_socket)


async def _head(reader: asyncio.StreamReader) -> tuple[int, dict[str, str]]:
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers: dict[str, str] = {}
    for line in lines:
        if line:
            name, value = line.split(": ", 1)
            headers[name.lower()] = value
    return int(first.split(" ")[1]), headers
