"""A client that joins a room and then does not read, and helpers to measure its effect."""

import asyncio
import socket
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import psutil

from tests.support.client import Client
from tests.support.cluster import Cluster

MIB = 1 << 20
BIG_BODY = "\U0001f642" * 3_900  # 15.6 KiB
PAST_KERNEL_BUFFERS = 700  # Big bodies: more than the kernel buffers for an unread socket.


def port_of(site: Cluster) -> int:
    return int(site.url.rpartition(":")[2])


class StuckReader:
    """A raw socket that joins a room and reads only on `read_all`."""

    def __init__(self, port: int, token: str, room: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", port))
        self.received = b""
        self.socket.sendall(
            b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._until(b"auth.required")
        self.send(f'{{"type": "auth", "token": "{token}"}}')
        self._until(b'"hello"')
        self.send(f'{{"type": "join", "ref": 1, "topic": "room/{room}"}}')
        self._until(b'"type":"ok"')
        self.received = b""

    def send(self, text: str) -> None:
        payload = text.encode()
        assert len(payload) < 126
        self.socket.sendall(bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload)

    def close(self) -> None:
        self.socket.close()

    def read_all(self, until: bytes) -> list[str]:
        """Every text frame up to the one that contains `until`."""
        while True:
            # The bytes may be there before the end of their frame.
            if until in self.received and any(until.decode() in text for text in frames_of(self.received)):
                return list(frames_of(self.received))
            chunk = self.socket.recv(MIB)
            assert chunk, "cut"
            self.received += chunk

    def _until(self, mark: bytes) -> None:
        while mark not in self.received:
            chunk = self.socket.recv(65_536)
            assert chunk
            self.received += chunk


def frames_of(data: bytes) -> Iterator[str]:
    """The complete text frames. A misplaced byte shows as a wrong header or as invalid JSON."""
    at = 0
    while len(data) - at >= 2:
        opcode, size, at = data[at], data[at + 1], at + 2
        assert opcode in (0x81, 0x88, 0x89), hex(opcode)
        if size == 126:
            size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        elif size == 127:
            size, at = int.from_bytes(data[at : at + 8], "big"), at + 8
        if at + size > len(data):
            return
        if opcode == 0x81:
            yield data[at : at + size].decode()
        at += size


async def post_many(poster: Client, room: str, count: int, body: str) -> None:
    for start in range(0, count, 20):
        refs = range(10_000 + start, 10_000 + min(start + 20, count))
        for ref in refs:
            post = {"type": "message.post", "topic": f"room/{room}", "id": str(uuid4()), "body": body}
            await poster.send(post | {"ref": ref})
        waiting: set[Any] = set(refs)
        async with asyncio.timeout(20):
            while waiting:
                frame = await poster._read(20)
                if frame.get("ref") in waiting:
                    assert frame["type"] == "ok", frame
                    waiting.discard(frame["ref"])


async def read_in_order(reader: Client, count: int) -> float:
    """Read `count` messages and check their order; return the longest wait for one, in seconds."""
    longest, last = 0.0, time.monotonic()
    for position in range(1, count + 1):
        assert (await reader.event("message.posted"))["position"] == position
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    return longest


async def until_connections(pid: int, count: int, seconds: float) -> None:
    process = psutil.Process(pid)
    async with asyncio.timeout(seconds):
        while (
            len([connection for connection in process.net_connections("tcp") if connection.status == "ESTABLISHED"])
            > count
        ):
            await asyncio.sleep(0.05)
