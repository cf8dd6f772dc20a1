"""A client on a slow link: it reads a number of bytes a second, and answers each ping once read."""

import asyncio
import json
import socket
from typing import Any

from bench.frames import CLOSE, TEXT, FrameReader, client_frame, upgrade_request

PING, PONG = 9, 10
TICK_SECONDS = 0.1
KERNEL_BYTES = 4096  # Keeps the kernel from reading ahead.


class SlowReader:
    """`frames`: the frames read so far. `code`: the close code, 1006 when cut, None while open."""

    def __init__(self, port: int, cookie: str, bytes_per_second: float) -> None:
        self.rate = bytes_per_second
        self.frames: list[dict[str, Any]] = []
        self.code: int | None = None
        self.pings = 0
        self.answers_pings = True
        self._host = f"127.0.0.1:{port}"
        self._port = port
        self._cookie = cookie

    async def __aenter__(self) -> "SlowReader":
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, KERNEL_BYTES)
        self._socket.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self._socket, ("127.0.0.1", self._port))
        headers = {"Cookie": f"sessionid={self._cookie}", "Origin": f"http://{self._host}"}
        await loop.sock_sendall(self._socket, upgrade_request("/ws/chat/", self._host, headers))
        self._task = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._socket.close()

    async def send(self, **command: Any) -> None:
        await asyncio.get_running_loop().sock_sendall(self._socket, client_frame(json.dumps(command)))

    async def wait_for(self, kind: str, seconds: float, **fields: Any) -> dict[str, Any]:
        async with asyncio.timeout(seconds):
            while True:
                for frame in self.frames:
                    if frame["type"] == kind and fields.items() <= frame.items():
                        return frame
                assert self.code is None, f"closed with {self.code} after {[frame['type'] for frame in self.frames]}"
                await asyncio.sleep(TICK_SECONDS)

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        reader = FrameReader()
        head = b""
        due = loop.time()
        while True:
            try:
                chunk = await loop.sock_recv(self._socket, max(1, round(self.rate * TICK_SECONDS)))
            except OSError:
                chunk = b""
            if not chunk:
                self.code = self.code or 1006
                return
            due = max(due, loop.time() - TICK_SECONDS) + len(chunk) / self.rate
            if b"\r\n\r\n" not in head:
                head += chunk
                assert head.startswith(b"HTTP/1.1 101"[: len(head)]), head
                _, _, chunk = head.partition(b"\r\n\r\n")
            for opcode, payload in reader.feed(chunk):
                if opcode == TEXT:
                    self.frames.append(json.loads(payload))
                elif opcode == PING:
                    self.pings += 1
                    if self.answers_pings:
                        pong = bytes((0x80 | PONG, 0x80 | len(payload))) + bytes(4) + payload
                        await loop.sock_sendall(self._socket, pong)
                elif opcode == CLOSE:
                    self.code = int.from_bytes(payload[:2], "big")
            await asyncio.sleep(due - loop.time())
