"""The outbox: order, bound, and the end of a reader that does not read."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from hubbub.delivery.asgi_outbox import AsgiOutbox
from hubbub.delivery.frames import Frames, wire_bytes
from hubbub.delivery.outbox import RawOutbox


class Socket:
    """A server's side of one socket, which can be stopped."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.open = asyncio.Event()
        self.open.set()
        self.aborted = asyncio.Event()

    async def send(self, message: dict[str, Any]) -> None:
        await self.open.wait()
        self.sent.append(message)

    @property
    def texts(self) -> list[str]:
        return [frame["text"] for frame in self.sent if frame["type"] == "websocket.send"]

    @property
    def close(self) -> dict[str, Any] | None:
        return next((frame for frame in self.sent if frame["type"] == "websocket.close"), None)


@asynccontextmanager
async def running(socket: Socket) -> AsyncIterator[tuple[AsgiOutbox, "asyncio.Task[None]"]]:
    outbox = AsgiOutbox(socket.send, abort=socket.aborted.set)
    writer = asyncio.create_task(outbox.run())
    try:
        yield outbox, writer
    finally:
        writer.cancel()
        await asyncio.gather(writer, return_exceptions=True)


async def test_frames_go_out_in_order_and_the_close_comes_last() -> None:
    socket = Socket()
    async with running(socket) as (outbox, writer):
        for number in range(100):
            outbox.put(str(number))
        outbox.close(4003, "Session ended")
        outbox.put("too late")
        outbox.close(4008, "only the first counts")
        async with asyncio.timeout(5):
            await writer
    assert socket.texts == [str(number) for number in range(100)]
    assert socket.sent[-1] == {"type": "websocket.close", "code": 4003, "reason": "Session ended"}


async def test_a_slow_reader_is_closed_and_holds_no_more_than_the_bound(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"OUTBOX_BYTES": 64 * 1024}
    socket = Socket()
    socket.open.clear()
    async with running(socket) as (outbox, writer):
        for _ in range(100):
            outbox.put("x" * 1024)
            await asyncio.sleep(0)
        assert outbox.is_closing
        assert not outbox._frames
        socket.open.set()
        async with asyncio.timeout(5):
            await writer
    assert socket.close is not None
    assert socket.close["code"] == 4101


@pytest.mark.slow
async def test_a_reader_that_never_reads_is_cut(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"OUTBOX_BYTES": 64 * 1024}
    socket = Socket()
    socket.open.clear()
    async with running(socket) as (outbox, _):
        outbox.put("x" * 70_000)
        async with asyncio.timeout(5):
            await socket.aborted.wait()


async def test_of_frames_where_only_the_newest_matters_a_slow_socket_skips_the_older_ones() -> None:
    socket = Socket()
    socket.open.clear()
    async with running(socket) as (outbox, _):
        outbox.put("first")
        await asyncio.sleep(0)
        for number in range(5):
            outbox.put_frames(Frames(f"sample {number}"), latest="samples")
        outbox.close(1000, "")
        socket.open.set()
        async with asyncio.timeout(5):
            while socket.close is None:
                await asyncio.sleep(0)
    assert socket.texts == ["first", "sample 4"]


async def test_a_frame_that_waits_to_be_replaced_can_be_dropped() -> None:
    socket = Socket()
    socket.open.clear()
    async with running(socket) as (outbox, _):
        outbox.put("first")
        await asyncio.sleep(0)
        for latest in ("a", "b"):
            outbox.put_frames(Frames(f"state of {latest}"), latest)
        outbox.drop_latest("a")
        outbox.drop_latest("never there")
        socket.open.set()
        async with asyncio.timeout(5):
            while len(socket.sent) < 2:
                await asyncio.sleep(0.001)
        assert socket.texts == ["first", "state of b"]


class FullConnection:
    """A connection of our server whose transport is full until `drain`."""

    is_open = is_paused = True
    buffered_bytes = 0

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.outbox = RawOutbox(self)

    def attach(self, outbox: RawOutbox) -> None:
        outbox.send_now = None

    def write(self, frames: bytes) -> None:
        self.written.append(frames)

    def close(self, code: int, reason: str) -> None:
        raise AssertionError("nothing closes it")

    def abort(self) -> None:
        raise AssertionError("nothing cuts it")

    def drain(self) -> None:
        self.is_paused = False
        self.outbox.drained()


def test_a_frame_that_waits_for_our_server_can_be_dropped() -> None:
    connection = FullConnection()
    outbox = connection.outbox
    outbox.drop_latest("a")
    outbox.put("first")
    for latest in ("a", "b"):
        outbox.put_frames(Frames(f"state of {latest}"), latest)
    outbox.drop_latest("a")
    connection.drain()
    assert connection.written == [wire_bytes("first"), wire_bytes("state of b")]
