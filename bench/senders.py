"""Senders: a client that posts, or a script that publishes. Each keeps at most WINDOW in flight."""

import select
import socket
import time
from collections.abc import Callable

from bench.frames import CLOSE, FrameReader, server_frame
from bench.load_client import Broken
from bench.machine import Program

WINDOW = 32  # Messages in flight, at most: the limit of our server for commands.

QUIET_MS = 20


class Poster:
    """A connected client. `make` gives the frame of a message.

    `answers`: whether a received payload, an answer or its own message, acknowledges one post, so that the next one may
    be sent. It raises Broken for a stray.
    """

    def __init__(
        self,
        connection: socket.socket,
        make: Callable[[int], bytes],
        answers: Callable[[bytes], bool],
        mark: bytes,
        window: int = WINDOW,
    ) -> None:
        self.socket = connection
        self.mark = mark
        self._make = make
        self._answers = answers
        self._window = window
        self._reader = FrameReader()
        self._next = self._last = 0
        self._unanswered = 0
        self._began = 0.0

    @property
    def fd(self) -> int:
        return self.socket.fileno()

    def settle(self) -> None:
        deadline = time.monotonic() + 5
        self._next = self._last
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        while time.monotonic() < deadline and poll.poll(QUIET_MS):
            self.on_readable()
        self._unanswered = 0

    def begin(self, numbers: range) -> None:
        self._next, self._last = numbers.start, numbers.stop
        self._began = time.perf_counter()
        self._send()

    def on_readable(self) -> None:
        chunk = self.socket.recv(1 << 16)
        if not chunk:
            raise Broken("the server closed the poster's socket")
        self._unanswered -= self.answered(chunk)
        self._send()

    def answered(self, chunk: bytes) -> int:
        """The number of posts that `chunk` answers."""
        answered = 0
        for opcode, payload in self._reader.feed(chunk):
            if opcode == CLOSE:
                raise Broken(f"the server closed the poster's socket: {payload!r}")
            answered += self._answers(payload)
        return answered

    def delivered(self, size: int) -> None:
        """Unused: answers show the progress."""

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


class HttpPoster(Poster):
    """A client that posts by HTTP requests on one kept connection, the next one before the last is answered."""

    _kept = b""

    def answered(self, chunk: bytes) -> int:
        self._kept += chunk
        answered = 0
        while True:
            head, end, rest = self._kept.partition(b"\r\n\r\n")
            if not end:
                return answered
            if not head.startswith((b"HTTP/1.1 201", b"HTTP/1.1 202")):
                raise Broken(f"a post was not accepted: {head[:200]!r}")
            _, _, length = head.lower().partition(b"content-length:")
            size = int(length.partition(b"\r\n")[0])
            if len(rest) < size:
                return answered
            self._kept = rest[size:]
            answered += 1


class Script:
    """A program that publishes on commands from its standard input.

    A message is in flight until the last member has it: then the next one is handed to the program.
    """

    fd = None

    def __init__(self, program: Program, size: int, mark: str, window: int = WINDOW) -> None:
        self.mark = mark.encode()
        self._program = program
        self._size = size
        self._wire_bytes = len(server_frame(bytes(size)))
        self._window = window
        self._numbers = range(0)
        self._next = 0
        self._answers = 0

    def settle(self) -> None:
        while self._answers:
            self.sent_at()

    def begin(self, numbers: range) -> None:
        self.settle()
        self._numbers = numbers
        self._next = numbers.start
        self._answers += 1
        self._hand_in("burst", numbers.start + self._window)

    def delivered(self, size: int) -> None:
        """`size`: the bytes that the last member has of the messages begun."""
        self._hand_in("more", self._numbers.start + size // self._wire_bytes + self._window)

    def on_readable(self) -> None:
        raise AssertionError("it has nothing to read")

    def sent_at(self) -> float:
        assert self._program.process.stdout is not None
        self._answers -= 1
        return float(self._program.process.stdout.readline())

    def close(self) -> None:
        self._program.stop()

    def _hand_in(self, word: str, stop: int) -> None:
        """The program answers `burst` with the time at which it began, and `more` with nothing."""
        stop = min(stop, self._numbers.stop)
        if stop > self._next:
            assert self._program.process.stdin is not None
            command = f"{word} {self.mark.decode()} {self._next} {stop} {self._size}\n"
            self._program.process.stdin.write(command.encode())
            self._program.process.stdin.flush()
            self._next = stop
