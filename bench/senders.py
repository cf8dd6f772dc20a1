"""Who makes a server send: a client that posts, or a script that publishes."""

import select
import socket
import time
from collections.abc import Callable

from bench.frames import CLOSE, FrameReader
from bench.load import Broken
from bench.machine import Program

WINDOW = 32  # Posts without an answer, or not seen again: as many commands as our server takes in work.

QUIET_MS = 20


class Poster:
    """A connected client. `make` gives the frame of a message, `check` raises Broken for a bad answer.

    What comes back, an answer to it or its own message, lets it send the next one.
    """

    def __init__(
        self,
        connection: socket.socket,
        make: Callable[[int], bytes],
        check: Callable[[bytes], None] = lambda payload: None,
        window: int = WINDOW,
    ) -> None:
        self.socket = connection
        self._make = make
        self._check = check
        self._window = window
        self._reader = FrameReader()
        self._next = self._last = 0
        self._unanswered = 0
        self._began = 0.0

    @property
    def fd(self) -> int:
        return self.socket.fileno()

    def begin(self, numbers: range) -> None:
        self._settle()
        self._next, self._last = numbers.start, numbers.stop
        self._began = time.perf_counter()
        self._send()

    def go_on(self) -> None:
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise Broken("the server closed the poster's socket")
        for opcode, payload in self._reader.feed(chunk):
            if opcode == CLOSE:
                raise Broken(f"the server closed the poster's socket: {payload!r}")
            self._check(payload)
            self._unanswered -= 1
        self._send()

    def sent_at(self) -> float:
        return self._began

    def close(self) -> None:
        self.socket.close()

    def _send(self) -> None:
        frames = []
        while self._next < self._last and self._unanswered < self._window:
            frames.append(self._make(self._next))
            self._next += 1
            self._unanswered += 1
        if frames:
            # So few bytes always fit into the socket's buffer.
            self.socket.sendall(b"".join(frames))

    def _settle(self) -> None:
        """Read what is left of the last run, and what others had sent meanwhile."""
        deadline = time.monotonic() + 5
        self._next = self._last
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while time.monotonic() < deadline and poll.poll(QUIET_MS):
            self.go_on()
        self._unanswered = 0


class Script:
    """A program that publishes when told to on its standard input."""

    fd = None

    def __init__(self, program: Program, size: int) -> None:
        self._program = program
        self._size = size
        self._answers = 0

    def begin(self, numbers: range) -> None:
        while self._answers:
            self.sent_at()
        assert self._program.process.stdin is not None
        self._program.process.stdin.write(b"burst %d %d %d\n" % (numbers.start, numbers.stop, self._size))
        self._program.process.stdin.flush()
        self._answers += 1

    def go_on(self) -> None:
        raise AssertionError("it has nothing to read")

    def sent_at(self) -> float:
        assert self._program.process.stdout is not None
        self._answers -= 1
        return float(self._program.process.stdout.readline())

    def close(self) -> None:
        self._program.stop()
