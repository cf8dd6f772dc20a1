"""A server of HTTP that plays a script: a conversation for each stream, and an answer for each command."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlsplit

from hubbub.protocol import from_json, to_json

Frame = dict[str, Any]
SECONDS = 5.0

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


class Request:
    """A request that has arrived, and the connection to answer it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.method = self.path = ""
        self.query: dict[str, list[str]] = {}
        self.headers: dict[str, str] = {}
        self.body = b""
        # The client has closed the connection, or sends another request on it.
        self.is_over = asyncio.Event()

    async def read(self) -> bool:
        """Read a request. Returns whether there was one."""
        try:
            first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        except asyncio.IncompleteReadError:
            return False
        self.method, target, _ = first.split(" ")
        self.path, self.query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        self.headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines if line)}
        self.body = await self.reader.readexactly(int(self.headers.get("content-length", 0)))
        return True

    @property
    def command(self) -> Frame:
        found: Frame = from_json(self.body)
        return found

    def answer(self, status: int, body: Frame | bytes, **headers: str) -> None:
        """Answer with a frame, or other bytes."""
        data = to_json(body) if isinstance(body, dict) else body
        lines = [f"HTTP/1.1 {status} Because", f"Content-Length: {len(data)}"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        self.writer.write("\r\n".join([*lines, "", ""]).encode() + data)

    def accept(self) -> None:
        self.answer(202, {"type": "accepted"})

    def refuse(self, status: int, code: str, **headers: str) -> None:
        self.answer(status, {"type": "error", "code": code, "detail": "no"}, **headers)

    # Of a stream

    def begin(self, **hello: Any) -> None:
        """Begin the stream, with `hello`."""
        self.writer.write(HEAD)
        frame = {"protocol": 2, "connection": "web-1:1", "user": {"id": "7", "name": "alice"}, "state": "ok"}
        self.frame({"type": "hello", **frame, "heartbeat_ms": 20_000, "limits": {"frame_bytes": 65_536}, **hello})

    def frame(self, frame: Frame) -> None:
        self.block(b"data: " + to_json(frame) + b"\n\n")

    def block(self, block: bytes) -> None:
        self.writer.write(b"%x\r\n%b\r\n" % (len(block), block))

    def end(self, code: int, reason: str = "") -> None:
        """The last block, and the end of the body."""
        self.block(b"event: close\ndata: " + to_json({"code": code, "reason": reason}) + b"\n\n")
        self.writer.write(b"0\r\n\r\n")

    def joined(self, ref: Any, topic: str, position: int = 0, **fields: Any) -> None:
        fields = {"complete": False, "state": None, **fields}
        self.frame({"type": "ok", "ref": ref, "topic": topic, "epoch": "e1", "position": position, **fields})

    def events(self, topic: str, *positions: int) -> None:
        for position in positions:
            self.frame({"type": "said", "topic": topic, "position": position})

    async def gone(self) -> None:
        """Wait until the client has closed this connection."""
        async with asyncio.timeout(SECONDS):
            try:
                assert await self.reader.read(1) == b""
            except ConnectionError:
                pass


class Commands:
    """The commands that came, in order."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[Request] = asyncio.Queue()

    async def next(self, kind: str) -> Request:
        async with asyncio.timeout(SECONDS):
            request = await self._queue.get()
        assert request.command["type"] == kind, request.command
        return request

    def put(self, request: Request) -> None:
        self._queue.put_nowait(request)

    @property
    def waiting(self) -> int:
        return self._queue.qsize()


Conversation = Callable[[Request, Commands], Awaitable[None]]


@asynccontextmanager
async def scripted_http(*conversations: Conversation) -> AsyncIterator[str]:
    """A server with one conversation for each stream, which also answers the commands. Yields its address."""
    left, commands = list(conversations), Commands()
    tasks: set[asyncio.Task[Any]] = set()
    errors: list[BaseException] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        tasks.add(asyncio.current_task())  # type: ignore[arg-type]
        last: Request | None = None
        try:
            while await (request := Request(reader, writer)).read():
                if last is not None:
                    last.is_over.set()
                if request.path == "/live/events":
                    assert left, "the client opened one more stream"
                    await left.pop(0)(request, commands)
                    break
                commands.put(request)
                last = request
        except asyncio.CancelledError:
            pass
        except ConnectionError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)
        finally:
            if last is not None:
                last.is_over.set()
            writer.transport.abort()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/live/"
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if errors:
        raise errors[0]
    assert not left, f"{len(left)} conversations were not had"
