"""A socket of a topic consumer within the test's event loop: frames are sent and read as by a client."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from asgiref.sync import sync_to_async
from django.test import Client

from hubbub import TopicConsumer
from hubbub.runtime import runtime

HOST = "testserver"

in_thread: Callable[..., Any] = sync_to_async


class Page:
    """What a client has sent and got."""

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._ref = 0
        # Cleared by a test: the client reads nothing.
        self.reads = asyncio.Event()
        self.reads.set()

    async def send(self, message: dict[str, Any]) -> None:
        """The ASGI `send` of the socket."""
        await self.reads.wait()
        if message["type"] == "websocket.send":
            self.frames.put_nowait(msgspec.json.decode(message["text"]))
        elif message["type"] == "websocket.close":
            self.frames.put_nowait({**message, "type": "close"})

    async def next(self, kind: str | None = None) -> dict[str, Any]:
        """The next frame, of this type; frames of other types before it are dropped."""
        dropped: list[dict[str, Any]] = []
        try:
            async with asyncio.timeout(8):
                while True:
                    frame = await self.frames.get()
                    if kind is None or frame["type"] == kind:
                        return frame
                    dropped.append(frame)
        except TimeoutError:
            raise TimeoutError(f"no frame {kind}; instead {dropped[-3:]}") from None

    def put(self, text: str) -> None:
        """Send a text frame."""
        self.inbox.put_nowait({"type": "websocket.receive", "text": text})

    def send_frame(self, kind: str, **fields: Any) -> int:
        """Send a frame with the next `ref`, and return that."""
        self._ref += 1
        self.put(msgspec.json.encode({"type": kind, "ref": self._ref, **fields}).decode())
        return self._ref

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a command, and return its answer; events before it stay to be read."""
        ref = self.send_frame(kind, **fields)
        others = []
        async with asyncio.timeout(8):
            while (frame := await self.frames.get()).get("ref") != ref:
                others.append(frame)
        rest = [self.frames.get_nowait() for _ in range(self.frames.qsize())]
        for other in (*others, *rest):
            self.frames.put_nowait(other)
        return frame

    def unread(self) -> list[dict[str, Any]]:
        """Frames that nobody has read yet."""
        return [self.frames.get_nowait() for _ in range(self.frames.qsize())]


@asynccontextmanager
async def handshaken(
    consumer: type[TopicConsumer],
    *,
    cookie: str | None = None,
    origin: str | None = f"http://{HOST}",
    authorization: str | None = None,
    address: str = "127.0.0.1",
    **scope: Any,
) -> AsyncIterator[Page]:
    """A socket that has sent its handshake, until the end of the block. `scope`: more of the ASGI scope."""
    page = Page()
    optional = {"cookie": cookie, "origin": origin, "authorization": authorization}
    headers = [(b"host", HOST.encode())]
    headers += [(name.encode(), value.encode()) for name, value in optional.items() if value is not None]
    more = {"path": "/ws/", "headers": headers, "client": (address, 1), "extensions": {}, **scope}
    runtime().is_served = True  # The test has the services that it needs.
    page.inbox.put_nowait({"type": "websocket.connect"})
    socket = asyncio.create_task(consumer()({"type": "websocket", **more}, page.inbox.get, page.send))
    try:
        yield page
    finally:
        page.reads.set()
        page.inbox.put_nowait({"type": "websocket.disconnect", "code": 1000})
        await asyncio.wait([socket], timeout=8)
        assert socket.done()
        socket.result()


@asynccontextmanager
async def opened(user: Any, consumer: type[TopicConsumer] | None = None) -> AsyncIterator[Page]:
    """A socket of the user, signed in by a session, until the end of the block. Without a consumer: of `polls`."""
    if consumer is None:
        from tests.support.polls.consumers import PollsConsumer as consumer  # An app that other sites do not have.
    client = Client()
    await sync_to_async(client.force_login)(user)
    async with handshaken(consumer, cookie=f"sessionid={client.cookies['sessionid'].value}") as page:
        await page.next("hello")
        yield page
