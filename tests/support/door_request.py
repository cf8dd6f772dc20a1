"""A request to the doors within the test's event loop, with a client that may stop reading, or go."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.db import transaction
from django.test import Client

from hubbub.asgi.doors import with_doors
from hubbub.runtime import runtime

HOST = "testserver"
SECONDS = 8.0


async def pages(scope: Any, receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"a page"})


class Request:
    """What a client has sent and got.

    Attributes:
        status: of the answer; 0: none yet.
        frames: of a stream, in order.
        ids: of a stream, in order.
        blocks: of a stream, as they came.
        reads: cleared by a test: the client reads nothing.
    """

    def __init__(self) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self.is_complete = False
        self.reads = asyncio.Event()
        self.reads.set()
        self.sending = 0
        self.inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._changed = asyncio.Event()
        self.task: asyncio.Task[None] | None = None

    async def send(self, message: dict[str, Any]) -> None:
        """The ASGI `send`. One at a time, as a server with back-pressure needs it."""
        assert not self.sending, "two writers"
        self.sending += 1
        try:
            await self.reads.wait()
        finally:
            self.sending -= 1
        if message["type"] == "http.response.start":
            assert not self.status
            self.status = message["status"]
            self.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            assert not self.is_complete
            self.body += message["body"]
            self.is_complete = not message.get("more_body")
        self._changed.set()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def blocks(self) -> list[str]:
        return [*self.body.decode().split("\n\n")[:-1]]

    @property
    def frames(self) -> list[Any]:
        return [json.loads(block[6:]) for block in self.blocks if block.startswith("data: ")]

    @property
    def ids(self) -> list[str]:
        return [block[4:] for block in self.blocks if block.startswith("id: ")]

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def frame(self, kind: str, **fields: Any) -> Any:
        """Wait for a frame of this type with these fields; the newest one if there are several."""

        def found() -> list[Any]:
            return [
                frame
                for frame in self.frames
                if frame["type"] == kind and all(frame.get(name) == value for name, value in fields.items())
            ]

        try:
            await self.until(found)
        except TimeoutError:
            raise TimeoutError(f"no {kind} {fields}; instead {self.status} {self.body!r}") from None
        return found()[-1]

    def goes(self) -> None:
        """The client ends the connection."""
        self.inbox.put_nowait({"type": "http.disconnect"})

    async def ended(self) -> None:
        assert self.task is not None
        await asyncio.wait([self.task], timeout=SECONDS)
        assert self.task.done()
        self.task.result()


class Doors:
    """The doors of these topics. `headers`: of each request."""

    def __init__(self, *topics: Any, **headers: str) -> None:
        self.application = with_doors(pages, topics, "live/")
        self.headers = {"host": HOST, **headers}

    def begin(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **scope: Any
    ) -> Request:
        request = Request()
        path, _, query = path.partition("?")
        found = {**self.headers, **(headers or {})}
        whole = {
            "type": "http",
            "http_version": "1.1",
            "scheme": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": [(name.lower().encode(), value.encode()) for name, value in found.items()],
            "client": ("127.0.0.1", 1),
            **scope,
        }
        runtime().is_served = True
        request.inbox.put_nowait({"type": "http.request", "body": body})
        request.task = asyncio.create_task(self.application(whole, request.inbox.get, request.send))
        return request

    async def request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None, **scope: Any
    ) -> Request:
        request = self.begin(method, path, body, headers, **scope)
        await request.ended()
        return request

    async def command(self, kind: str, stream: str = "", headers: Any = None, **fields: Any) -> Request:
        query = f"?{urlencode({'stream': stream})}" if stream else ""
        body = json.dumps({"type": kind, "ref": "p", **fields}).encode()
        given = {"content-type": "application/json", **(headers or {})}
        return await self.request("POST", f"/live/command{query}", body, given)

    @asynccontextmanager
    async def stream(self, *topics: str, resume: str = "", **headers: str) -> AsyncIterator[Request]:
        given = {**headers, **({"last-event-id": resume} if resume else {})}
        request = self.begin("GET", f"/live/events?{urlencode([('topic', topic) for topic in topics])}", b"", given)
        try:
            yield request
        finally:
            request.reads.set()
            request.goes()
            with suppress(asyncio.CancelledError):
                await request.ended()


async def cookie_of(user: Any) -> str:
    client = Client()
    await sync_to_async(client.force_login)(user)
    return f"sessionid={client.cookies['sessionid'].value}"


async def page_of(user: Any, *topics: Any) -> Doors:
    """As a page of the site: a browser sends these."""
    return Doors(*topics, cookie=await cookie_of(user), **{"sec-fetch-site": "same-origin"})


async def note(board: str, text: str) -> int:
    """Add a note to a board. Returns its position."""
    from tests.support.polls.models import Note  # An app that other sites do not have.
    from tests.support.polls.topics import BoardTopic

    def add() -> int:
        topic = BoardTopic(board)
        with transaction.atomic():
            note = Note.objects.create(board=board, position=topic.next_position(), text=text)
            topic.publish(note.position, topic.event(note))
        return int(note.position)

    position: int = await sync_to_async(add)()
    return position
