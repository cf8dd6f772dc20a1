"""A WebSocket client for tests: sends commands, returns their answers, keeps events in order."""

import asyncio
import itertools
import json
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from websockets.asyncio.client import ClientConnection, connect, unix_connect
from websockets.exceptions import ConnectionClosed

SECONDS = 30.0  # Limit of each wait. Tests assert tighter limits themselves.

Frame = dict[str, Any]


class Client:
    """One socket. Frames that no call has awaited are kept in order for later calls."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.hello: Frame = {}
        self._events: deque[Frame] = deque()
        self._refs = itertools.count(1)

    # Frames

    @property
    def unread(self) -> list[Frame]:
        """Received frames that no call has returned yet."""
        return list(self._events)

    async def receive(self, seconds: float = SECONDS) -> Frame:
        """The next frame, a kept one first."""
        if self._events:
            return self._events.popleft()
        return await self._read(seconds)

    async def send(self, frame: Frame | str | bytes) -> None:
        await self.socket.send(json.dumps(frame, ensure_ascii=False) if isinstance(frame, dict) else frame)

    async def request(self, command: str, **fields: Any) -> Frame:
        """Send a command and return its answer."""
        ref = next(self._refs)
        await self.send({"type": command, "ref": ref, **fields})
        return await self.answer(ref)

    async def answer(self, ref: Any) -> Frame:
        async with asyncio.timeout(SECONDS):
            while True:
                frame = await self._read(SECONDS)
                if frame.get("ref") == ref and frame["type"] in ("ok", "error", "pong"):
                    return frame
                self._events.append(frame)

    async def event(self, kind: str, seconds: float = SECONDS) -> Frame:
        """The next event of this type. Earlier frames are dropped."""
        others: list[Frame] = []
        try:
            async with asyncio.timeout(seconds):
                while (frame := await self.receive(seconds))["type"] != kind:
                    others.append(frame)
                return frame
        except TimeoutError:
            raise TimeoutError(f"no {kind} within {seconds} s, but {others[-5:]}") from None

    async def closed(self, seconds: float = SECONDS) -> tuple[int, str]:
        """Wait for the close, keep the frames before it, and return code and reason."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    self._events.append(json.loads(await self.socket.recv()))
            except ConnectionClosed as closed:
                return (closed.rcvd.code, closed.rcvd.reason) if closed.rcvd else (1006, "")

    async def _read(self, seconds: float) -> Frame:
        async with asyncio.timeout(seconds):
            frame: Frame = json.loads(await self.socket.recv())
        return frame

    # Chat

    async def join(self, room: str, **resume: Any) -> Frame:
        return await self.ask(room, "join", **resume)

    async def post(self, room: str, body: str, message_id: str | None = None) -> Frame:
        return await self.ask(room, "message.post", body=body, id=message_id or str(uuid4()))

    async def ask(self, room: str, command: str, **fields: Any) -> Frame:
        """Send a command of the room. Return its answer, `merged`."""
        answer = await self.request(command, topic=f"room/{room}", **fields)
        return merged(answer)


def merged(answer: Frame) -> Frame:
    """An answer, and in it the fields of its result or state, or the messages of its events."""
    more = {**answer.get("result", {}), **answer.get("state", {})}
    if "complete" in answer:
        more["partial"] = answer.get("partial", False)
    if "events" in answer:
        more["messages"] = [event["message"] for event in answer["events"] if "message" in event]
    return {**answer, **more}


@asynccontextmanager
async def opened(
    url: str,
    path: str = "/ws/chat/",
    *,
    cookie: str | None = None,
    token: str | None = None,
    origin: str | None = None,
    unix_socket: str | None = None,
    headers: dict[str, str] | None = None,
    wait_for_hello: bool = True,
) -> AsyncIterator[Client]:
    """Connect to `url` (http://host:port), by session cookie with the site's Origin, or by token.

    Args:
        unix_socket: Path of a process's private socket, to reach that process.
        headers: More headers.
    """
    headers = {
        **(headers or {}),
        **({} if cookie is None else {"Cookie": f"sessionid={cookie}", "Origin": origin or url}),
    }
    if cookie is None and origin is not None:
        headers["Origin"] = origin
    address = url.replace("http", "ws", 1) + path
    more = {"additional_headers": headers, "max_size": None, "compression": None, "proxy": None}
    if unix_socket:
        more.pop("proxy")
        connection = unix_connect(unix_socket, address, **more)
    else:
        connection = connect(address, **more)
    async with connection as socket:
        client = Client(socket)
        if wait_for_hello:
            if token is not None:
                await client.event("auth.required")
                await client.send({"type": "auth", "token": token})
            client.hello = await client.event("hello")
        yield client
