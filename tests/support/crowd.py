"""Many cheap clients in one event loop, so that the server is the bottleneck."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from random import Random
from typing import Any

from bench.frames import CLOSE, TEXT, FrameReader, client_frame, upgrade_request
from hubbub.protocol import read_frame

STAGES = ("connected", "asked", "greeted", "joined")


class Guest(asyncio.Protocol):
    """One socket with a session that joins a room. `reached` waits for a stage of `STAGES`."""

    def __init__(self, port: int, cookie: str, room: str, resume: str = "") -> None:
        self._port = port
        self._join = client_frame(f'{{"type":"join","ref":1,"topic":"room/{room}"{resume}}}')
        host = f"127.0.0.1:{port}"
        self._request = upgrade_request(
            "/ws/chat/", host, {"Cookie": f"sessionid={cookie}", "Origin": f"http://{host}"}
        )
        self._reader: FrameReader | None = None
        self._head = b""
        self._stage = ""
        self._waiting: list[tuple[str, asyncio.Future[None]]] = []
        self.transport: Any = None
        self.joined: dict[str, Any] = {}
        self.events: list[dict[str, Any]] = []

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._port)

    async def reached(self, stage: str) -> None:
        """Wait for the stage. Raises ConnectionError when the socket ends before."""
        if self._stage != stage:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((stage, future))
            await future

    def ask(self) -> None:
        self.transport.write(self._request)
        self._come_to("asked")

    def leave(self, *, abruptly: bool) -> None:
        if self.transport is not None:
            (self.transport.abort if abruptly else self.transport.close)()

    # Called by the loop

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._come_to("connected")

    def data_received(self, data: bytes) -> None:
        if self._reader is None:
            self._head += data
            head, end, data = self._head.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._fail(head.split(b"\r\n")[0].decode())
                return
            self._reader = FrameReader()
        for opcode, payload in self._reader.feed(data):
            if opcode == CLOSE:
                self._fail(f"closed with {int.from_bytes(payload[:2], 'big')}")
            elif opcode == TEXT:
                self._take(read_frame(payload))

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(repr(error))

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "hello":
                self._come_to("greeted")
                self.transport.write(self._join)
            case "ok":
                self.joined = frame
                self._come_to("joined")
            case "error" | "auth.required":
                self._fail(str(frame))
            case _ if "position" in frame:  # Events without a position are not recorded.
                self.events.append(frame)

    def _come_to(self, stage: str) -> None:
        self._stage = stage
        for wanted, future in self._waiting:
            if wanted == stage and not future.done():
                future.set_result(None)

    def _fail(self, reason: str) -> None:
        for _, future in self._waiting:
            if not future.done():
                future.set_exception(ConnectionError(reason))


@asynccontextmanager
async def gathered(guests: Sequence[Guest], together: int) -> AsyncIterator[None]:
    """Join all guests, `together` at a time; abort all at the end."""
    limit = asyncio.Semaphore(together)

    async def bring(guest: Guest) -> None:
        async with limit:
            await guest.connect()
            guest.ask()
            await guest.reached("joined")

    try:
        await asyncio.gather(*(bring(guest) for guest in guests))
        yield
    finally:
        for guest in guests:
            guest.leave(abruptly=True)


async def come_and_go(port: int, cookies: Sequence[str], rooms: Sequence[str], cycles: Iterable[int]) -> None:
    """Open connections that end at a random stage, cleanly or abruptly; fifty at a time."""
    limit = asyncio.Semaphore(50)

    async def cycle(number: int) -> None:
        random = Random(number)
        guest = Guest(port, random.choice(cookies), random.choice(rooms))
        stage = random.choice((*STAGES, "joined"))
        async with limit:
            await guest.connect()
            if stage != "connected":
                guest.ask()
                await guest.reached(stage)
            guest.leave(abruptly=random.random() < 0.5)

    await asyncio.gather(*(cycle(number) for number in cycles))
