"""A client that sends ten thousand frames a second, and reconnects within half a second after each close.

Runs in a process of its own, so that it does not share an event loop with the measured clients:
`python -m tests.support.flood PORT TOKEN SECONDS`, commands as lines of standard input. Prints its results as JSON.
"""

import json
import random
import socket
import sys
import time
from collections.abc import Sequence
from typing import Any

FRAMES_PER_SECOND = 10_000
PORTION = 100  # Frames per system call: the flooder must not be the bottleneck.
BACK_SECONDS = 0.5
CLOSE = 8


def frame(text: str) -> bytes:
    payload = text.encode()
    size = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2)
    return b"\x81" + size + b"\0\0\0\0" + payload


class Flood:
    """Send `commands` in a loop for `seconds`."""

    def __init__(self, port: int, token: str, seconds: float, commands: Sequence[str]) -> None:
        frames = [frame(command) for command in commands]
        self._portions = [b"".join(frames[at : at + PORTION]) for at in range(0, len(frames), PORTION)]
        self._port = port
        self._token = token
        self._until = time.monotonic() + seconds
        # Of each socket: seconds from its first frame to its close, the close code, and the codes of errors before it.
        self.ends: list[tuple[float, int, list[str]]] = []
        self.sent = 0

    def run(self) -> None:
        while time.monotonic() < self._until:
            with socket.create_connection(("127.0.0.1", self._port), timeout=10) as connection:
                self._admit(connection)
                self._flood(connection)
            time.sleep(random.uniform(0, BACK_SECONDS))

    def _admit(self, connection: socket.socket) -> None:
        connection.sendall(
            b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        received = b""
        while b"auth.required" not in received:
            received += connection.recv(65_536)
        connection.sendall(frame(json.dumps({"type": "auth", "token": self._token})))
        while b'"server_time"' not in received or not received.endswith(b"}"):
            chunk = connection.recv(65_536)
            assert chunk, received
            received += chunk

    def _flood(self, connection: socket.socket) -> None:
        reader = Frames()
        began = due = time.monotonic()
        connection.setblocking(False)
        codes: set[str] = set()
        rest = b""
        while time.monotonic() < self._until:
            if not rest:
                rest = self._portions[self.sent // PORTION % len(self._portions)]
                self.sent += PORTION
            try:
                rest = rest[connection.send(rest) :]
            except BlockingIOError:
                pass
            except OSError:
                rest = b""  # Remaining frames are read below.
            due = max(due + PORTION / FRAMES_PER_SECOND, time.monotonic() - 0.1)
            time.sleep(max(0.0, due - time.monotonic()))
            for opcode, payload in reader.read(connection):
                if opcode == CLOSE:
                    self.ends.append((time.monotonic() - began, int.from_bytes(payload[:2]), sorted(codes)))
                    return
                codes.add(json.loads(payload).get("code", ""))
            if reader.has_ended:
                self.ends.append((time.monotonic() - began, 1006, sorted(codes)))
                return


class Frames:
    """Decoder of the server's frames."""

    def __init__(self) -> None:
        self._data = b""
        self.has_ended = False

    def read(self, connection: socket.socket) -> list[tuple[int, bytes]]:
        try:
            while chunk := connection.recv(1 << 20):
                self._data += chunk
            self.has_ended = True
        except BlockingIOError:
            pass
        except OSError:
            self.has_ended = True
        frames: list[tuple[int, bytes]] = []
        while (taken := self._next()) is not None:
            frames.append(taken)
        return frames

    def _next(self) -> tuple[int, bytes] | None:
        data: Any = self._data
        if len(data) < 2:
            return None
        size, at = data[1], 2
        if size >= 126:
            at = 4 if size == 126 else 10
            size = int.from_bytes(data[2:at])
        if len(data) < at + size:
            return None
        self._data = data[at + size :]
        return data[0] & 0x0F, data[at : at + size]


if __name__ == "__main__":
    flood = Flood(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]), sys.stdin.read().splitlines())
    flood.run()
    json.dump({"sent": flood.sent, "ends": flood.ends}, sys.stdout)
