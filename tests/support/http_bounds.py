"""Clients that do not read, or send without end, and the memory and connections of a server."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil

from tests.support.raw_client import Raw
from tests.support.servers import Server

MIB = 1 << 20


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


async def body_of(client: Raw, head: bytes) -> bytes:
    size = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    return await client.reader.readexactly(size)


def held(server: Server) -> int:
    """Resident memory of the server, in bytes."""
    return int(psutil.Process(server.process.pid).memory_info().rss)


async def send_much(client: Raw, size: int, seconds: float) -> None:
    async with asyncio.timeout(seconds):
        for _ in range(size // MIB):
            client.send(b"x" * MIB)
            await client.writer.drain()


@asynccontextmanager
async def deaf(server: Server, *requests: bytes) -> AsyncIterator[Raw]:
    """A client that sends the requests and reads nothing."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=4096)
    writer.transport.pause_reading()  # type: ignore[attr-defined]
    writer.write(b"".join(requests))
    try:
        yield Raw(reader, writer)
    finally:
        writer.transport.abort()


async def until_only(server: Server, count: int, seconds: float) -> None:
    """Wait until no more than `count` connections are open."""
    process = psutil.Process(server.process.pid)
    async with asyncio.timeout(seconds):
        while sum(connection.status != "LISTEN" for connection in process.net_connections("tcp")) > count:
            await asyncio.sleep(0.05)


LONG = "x" * 20_000
HEADS = {
    "a line that never ends": (b"GET /" + b"x" * 40_000, 414),
    "an address of 20 KB": (get("/" + LONG), 414),
    "a header of 20 KB": (get("/", f"X: {LONG}"), 431),
    "a header that never ends": (b"GET / HTTP/1.1\r\nX: " + b"x" * 40_000, 431),
    "headers of 20 KB": (get("/", *("X: " + "x" * 500 for _ in range(40))), 431),
    "600 headers": (get("/", *(f"X-{number}: x" for number in range(600))), 431),
    "a header in pieces without end": (b"GET / HTTP/1.1\r\nX: y\r\n" + b" x\r\n" * 20_000, 431),
}
