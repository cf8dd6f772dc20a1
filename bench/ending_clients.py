"""Clients of a process that ends: they note how it closes them, and go on with another process at once."""

import asyncio
import json
import socket
import time
import uuid
from collections import deque
from collections.abc import Sequence
from typing import Any

from bench.frames import CLOSE, TEXT, FrameReader, client_frame, upgrade_request
from bench.servers import Hubbub

CUT = (1006, "")
RETRY_SECONDS = 0.1
KERNEL_BYTES = 4096  # Of a socket that does not read: the kernel takes little for it.


class Closed(Exception):
    """The server has closed the socket: `code` and `reason`, or CUT."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"closed with {code} {reason}")
        self.code = code
        self.reason = reason


def closed_by(payload: bytes) -> Closed:
    """By the payload of a close frame (RFC 6455, 5.5.1)."""
    if len(payload) < 2:
        return Closed(1005, "")
    return Closed(int.from_bytes(payload[:2], "big"), payload[2:].decode(errors="replace"))


class Line:
    """A raw socket with frames of text, signed in to `side`."""

    def __init__(self) -> None:
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self._reader = FrameReader()
        self._texts: deque[bytes] = deque()
        self._closed: Closed | None = None

    async def open(self, side: Hubbub, index: int) -> None:
        """Return after `hello`. Raises Closed, also where the server is away or refuses."""
        try:
            await asyncio.get_running_loop().sock_connect(self.socket, ("127.0.0.1", side.port))
            head = upgrade_request("/ws/chat/", f"127.0.0.1:{side.port}", side.headers(index))
            await self._send(head)
            head = b""
            while b"\r\n\r\n" not in head:
                head += await self._receive()
        except OSError:
            raise Closed(*CUT) from None
        status, _, rest = head.partition(b"\r\n\r\n")
        if not status.startswith(b"HTTP/1.1 101"):
            raise Closed(*CUT)
        self._feed(rest)
        while b'"type":"hello"' not in await self.text():
            pass

    async def text(self) -> bytes:
        """The next text frame. Raises Closed."""
        while not self._texts:
            if self._closed is not None:
                raise self._closed
            self._feed(await self._receive())
        return self._texts.popleft()

    async def send(self, text: str) -> None:
        await self._send(client_frame(text))

    def close(self) -> None:
        self.socket.close()

    def _feed(self, chunk: bytes) -> None:
        for opcode, payload in self._reader.feed(chunk):
            if opcode == TEXT:
                self._texts.append(payload)
            elif opcode == CLOSE:
                self._closed = closed_by(payload)

    async def _receive(self) -> bytes:
        try:
            chunk = await asyncio.get_running_loop().sock_recv(self.socket, 1 << 18)
        except OSError:
            chunk = b""
        if not chunk:
            raise self._closed or Closed(*CUT)
        return chunk

    async def _send(self, data: bytes) -> None:
        try:
            await asyncio.get_running_loop().sock_sendall(self.socket, data)
        except OSError:
            raise self._closed or Closed(*CUT) from None


class Follower:
    """A member of the room on the first of `sides`, until closed; then on the second.

    `missing`: positions that it was never given.
    """

    def __init__(self, sides: Sequence[Hubbub], index: int) -> None:
        self.sides = sides
        self.index = index
        self.line = Line()
        self.closed: Closed | None = None
        self.closed_at = self.back_at = 0.0
        self.position = 0
        self.missing = 0
        self._epoch = ""

    async def enter(self, side: Hubbub) -> None:
        """Sign in and join after the known position; again until it succeeds."""
        while True:
            self.line.close()
            self.line = Line()
            try:
                await self.line.open(side, self.index)
                while await self._join(side.room):
                    pass
                return
            except Closed:
                await asyncio.sleep(RETRY_SECONDS)

    async def follow(self) -> None:
        """Read events; after the close join the second side, and read on."""
        try:
            await self._read()
        except Closed as closed:
            self.closed, self.closed_at = closed, time.perf_counter()
        await self.enter(self.sides[1])
        self.back_at = time.perf_counter()
        await self._read()

    async def _read(self) -> None:
        while True:
            self.take(json.loads(await self.line.text()))

    async def _join(self, room: str) -> bool:
        """Whether another part of the missed events is to be read."""
        known = f',"after":{self.position},"epoch":"{self._epoch}"' if self._epoch else ""
        await self.line.send(f'{{"type":"join","ref":1,"topic":"room/{room}"{known}}}')
        while (answer := json.loads(await self.line.text())).get("ref") != 1:
            self.take(answer)
        if answer["type"] != "ok":
            await asyncio.sleep(answer.get("retry_after_ms", 0) / 1000 + RETRY_SECONDS)
            return True
        for event in answer.get("events") or ():
            self.take(event)
        if not self._epoch:
            self.position = answer["position"]
        self._epoch = answer["epoch"]
        return bool(answer.get("partial"))

    def take(self, event: dict[str, Any]) -> None:
        if (position := event.get("position", 0)) > self.position:
            self.missing += position - self.position - 1
            self.position = position


class Author:
    """Posts on the first of `sides`, until closed; after `may_repeat`, on the second, all that has no answer.

    `sent`: when each post was sent first, by id. `answered`: the ids with an answer.
    """

    def __init__(self, sides: Sequence[Hubbub], index: int) -> None:
        self.sides = sides
        self.index = index
        self.line = Line()
        self.sent: dict[str, float] = {}
        self.answered: set[str] = set()
        self.acknowledged: set[str] = set()
        self.answered_before_close: set[str] = set()
        self.is_closed = False
        self.may_repeat = asyncio.Event()

    async def post(self, body: str = "Hello") -> None:
        """Post, unless closed."""
        if not self.is_closed:
            message_id = str(uuid.uuid4())
            self.sent[message_id] = time.perf_counter()
            try:
                await self._send(message_id, body)
            except Closed:
                self.is_closed = True

    async def run(self) -> None:
        """Read answers until closed; then post on the second side until each post is acknowledged."""
        try:
            while True:
                self.take(await self.line.text())
        except Closed:
            self.is_closed = True
        self.answered_before_close = set(self.answered)
        self.line.close()
        await self.may_repeat.wait()
        while waiting := [message_id for message_id in self.sent if message_id not in self.acknowledged]:
            self.line = Line()
            try:
                await self.line.open(self.sides[1], self.index)
                for message_id in waiting:
                    await self._send(message_id)
                    while not self.take(await self.line.text()):
                        pass
            except Closed:
                pass
            if not self.acknowledged.issuperset(waiting):
                await asyncio.sleep(RETRY_SECONDS)
            self.line.close()

    async def _send(self, message_id: str, body: str = "Hello") -> None:
        topic = f"room/{self.sides[0].room}"
        fields = f'"ref":"{message_id}","topic":"{topic}","id":"{message_id}","body":"{body}"'
        await self.line.send(f'{{"type":"message.post",{fields}}}')

    def take(self, text: bytes) -> bool:
        """Note an answer; whether it was one."""
        answer = json.loads(text)
        if (ref := answer.get("ref")) is None:
            return False
        self.answered.add(ref)
        if answer["type"] == "ok":
            self.acknowledged.add(ref)
        return True


class StuckReader(Line):
    """A member that does not read until `read_to_the_end`."""

    def __init__(self) -> None:
        super().__init__()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)

    async def join(self, side: Hubbub, index: int) -> None:
        await self.open(side, index)
        await self.send(f'{{"type":"join","ref":1,"topic":"room/{side.room}"}}')
        while json.loads(await self.text()).get("ref") != 1:
            pass

    async def read_to_the_end(self, quiet_seconds: float) -> Closed | None:
        """Read all that has been sent; the close, or None where the socket is open and quiet."""
        try:
            while True:
                async with asyncio.timeout(quiet_seconds):
                    await self.text()
        except Closed as closed:
            return closed
        except TimeoutError:
            return None
