"""The load client: thousands of raw sockets in one loop, every byte of every one checked.

All members of a room get the same bytes. One of them, the recorder, is parsed and verified frame by frame. Each other
one has a running CRC-32, compared with the recorder's: it shows every lost, doubled, swapped or damaged frame. A
delivery costs the client one system call and little more. Each message carries the mark of its sender. A frame without
it, or one that arrives while nothing is sent, is a stray, and a stray is an error.
"""

import gc
import select
import socket
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from bench.frames import TEXT, FrameReader

STALL_SECONDS = 8.0  # After so long without a byte, missing frames are lost.
CLOSED = "the server closed a socket"
NOISE_SECONDS = 30.0  # A server that still sends after so long never stops.
BUFFER_BYTES = 1 << 18

# A client that waits in epoll is woken by the server's own send, at the cost of that server: more than the send itself
# on a virtual machine. Clients on other machines cost it nothing. So when there is nothing to read in a burst, sleep.
NAP_SECONDS = 0.0005
EVENTS = 4096


class Broken(Exception):
    """A server broke the rules of the measurement."""


class Sender(Protocol):
    """Makes a server send. `fd`: the descriptor of its progress, if any.

    `mark`: bytes of each of its messages, and of no message of another sender.
    """

    mark: bytes

    @property
    def fd(self) -> int | None: ...

    def settle(self) -> None:
        """Discard frames that are left of the last run, or that others have sent meanwhile."""

    def begin(self, numbers: range) -> None:
        """Start sending the messages of these numbers, in order, without waiting for their delivery."""

    def on_readable(self) -> None:
        """`fd` is readable."""

    def delivered(self, size: int) -> None:
        """The last member has so many bytes of the messages begun."""

    def close(self) -> None: ...

    def sent_at(self) -> float:
        """When the single message of the last `begin` was handed in, by time.perf_counter()."""


@dataclass(frozen=True, slots=True)
class Burst:
    """When the first and the last bytes came, by time.perf_counter(). `payloads`: the recorder's."""

    first_at: float
    last_at: float
    payloads: list[bytes]
    problem: str | None  # Why it does not count.

    @property
    def seconds(self) -> float:
        """From the first to the last byte."""
        return self.last_at - self.first_at


class Members:
    """Sockets that all get the same. `burst` and `single` need them idle before."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self._sockets = {member.fileno(): member for member in sockets}
        self._recorder = sockets[0].fileno()
        self._last = sockets[-1].fileno()
        self._reader = FrameReader()
        self._crcs = dict.fromkeys(self._sockets, 0)
        self._bytes = dict.fromkeys(self._sockets, 0)
        self._poll = select.epoll()
        for fd in self._sockets:
            self._poll.register(fd, select.EPOLLIN)
        self._buffer = bytearray(BUFFER_BYTES)

    def __len__(self) -> int:
        return len(self._sockets)

    def close(self) -> None:
        self._poll.close()
        for member in self._sockets.values():
            member.close()

    def drain(self, quiet_seconds: float = 0.2) -> None:
        """Discard the frames after joining, until none has come for `quiet_seconds`."""
        self._read_until_quiet(quiet_seconds)

    def strays(self, quiet_seconds: float = 0.2) -> str | None:
        """Report frames since the last run and until it is quiet, though nothing was sent; None: there were none."""
        self._forget()
        frames = self._reader.feed(self._read_until_quiet(quiet_seconds))
        sizes = [size for size in self._bytes.values() if size]
        if not sizes:
            return None
        shown = f", as {frames[0][1][:100]!r}" if frames else ""
        return f"strays: {len(sizes)} members had {sum(sizes)} bytes while nothing was sent{shown}"

    def has_something(self) -> bool:
        """Whether bytes wait to be read."""
        return bool(self._poll.poll(0, 1))

    def burst(self, sender: Sender, numbers: range) -> Burst:
        """Have the messages sent, and read until every member has all of them."""
        self._forget()
        count, members = len(numbers), len(self._sockets)
        recorder, recorded, last, reported = self._recorder, 0, self._last, 0
        payloads: list[bytes] = []
        strays: list[bytes] = []
        target: int | None = None
        total = 0
        first_at = last_at = 0.0
        poll, clock, crc32 = self._poll.poll, time.perf_counter, zlib.crc32
        crcs, sizes = self._crcs, self._bytes
        buffer, view = self._buffer, memoryview(self._buffer)
        receives = {fd: member.recv_into for fd, member in self._sockets.items()}
        with _no_garbage_collection(), self._with(sender) as sender_fd:
            sender.begin(numbers)
            stalled_at = clock() + STALL_SECONDS
            while target is None or total < target:
                woken_at, arrived = clock(), total
                events = poll(0, EVENTS)
                if not events:
                    if woken_at > stalled_at:
                        break
                    time.sleep(NAP_SECONDS)
                    continue
                for fd, _ in events:
                    if fd == sender_fd:
                        sender.on_readable()
                        continue
                    size = receives[fd](buffer)
                    if not size:
                        raise Broken(CLOSED)
                    chunk = view[:size]
                    crcs[fd] = crc32(chunk, crcs[fd])
                    sizes[fd] += size
                    total += size
                    if fd == recorder:
                        recorded += size
                        for text in self._texts(bytes(chunk)):
                            (payloads if sender.mark in text else strays).append(text)
                        if len(payloads) >= count:
                            target = recorded * members
                if sizes[last] > reported:
                    reported = sizes[last]
                    sender.delivered(reported)
                if total > arrived:
                    last_at = clock()
                    first_at = first_at or woken_at
                    stalled_at = last_at + STALL_SECONDS
        missing = (target or 0) - total
        return Burst(first_at, last_at, payloads, self._problem(count, payloads, strays, missing))

    def single(self, sender: Sender, number: int) -> tuple[list[float], bytes]:
        """Have one message sent; seconds until each member had it, and the recorder's copy. Raises Broken."""
        self._forget()
        arrived_at: dict[int, float] = {}
        payloads: list[bytes] = []
        strays: list[bytes] = []
        total = recorded = 0
        target: int | None = None
        poll, clock = self._poll.poll, time.perf_counter
        with _no_garbage_collection(), self._with(sender) as sender_fd:
            sender.begin(range(number, number + 1))
            while target is None or total < target:
                events = poll(STALL_SECONDS, EVENTS)
                if not events:
                    if strays:
                        break
                    had = sum(size >= max(recorded, 1) for size in self._bytes.values())
                    raise Broken(f"only {had} of {len(self._sockets)} members had the message")
                for fd, _ in events:
                    if fd == sender_fd:
                        sender.on_readable()
                        continue
                    size = self._sockets[fd].recv_into(self._buffer)
                    if not size:
                        raise Broken(CLOSED)
                    arrived_at[fd] = clock()
                    chunk = bytes(memoryview(self._buffer)[:size])
                    self._crcs[fd] = zlib.crc32(chunk, self._crcs[fd])
                    self._bytes[fd] += size
                    total += size
                    if fd == self._recorder:
                        recorded += size
                        for text in self._texts(chunk):
                            (payloads if sender.mark in text else strays).append(text)
                        if payloads:
                            target = recorded * len(self._sockets)
        sent_at = sender.sent_at()
        if (problem := self._problem(1, payloads, strays, 0)) is not None:
            raise Broken(problem)
        return [at - sent_at for at in arrived_at.values()], payloads[0]

    def _read_until_quiet(self, quiet_seconds: float) -> bytes:
        """Return the recorder's bytes, and count those of each member."""
        recorded = b""
        noisy_until = time.monotonic() + NOISE_SECONDS
        while events := self._poll.poll(quiet_seconds, EVENTS):
            if time.monotonic() > noisy_until:
                raise Broken(f"strays: members have had frames for {NOISE_SECONDS:.0f} s while nothing was sent")
            for fd, _ in events:
                size = self._sockets[fd].recv_into(self._buffer)
                if not size:
                    raise Broken(CLOSED)
                self._bytes[fd] += size
                if fd == self._recorder:
                    recorded += self._buffer[:size]
        return recorded

    def _texts(self, chunk: bytes) -> list[bytes]:
        frames = self._reader.feed(chunk)
        if any(opcode != TEXT for opcode, _ in frames):
            raise Broken("the server sent a frame that is not text")
        return [payload for _, payload in frames]

    def _forget(self) -> None:
        self._reader = FrameReader()
        for fd in self._sockets:
            self._crcs[fd] = self._bytes[fd] = 0

    @contextmanager
    def _with(self, sender: Sender) -> Iterator[int | None]:
        fd = sender.fd
        if fd is not None:
            self._poll.register(fd, select.EPOLLIN)
        try:
            yield fd
        finally:
            if fd is not None:
                self._poll.unregister(fd)

    def _problem(self, count: int, payloads: list[bytes], strays: list[bytes], missing: int) -> str | None:
        if strays:
            return f"strays: a member had {len(strays)} frames that nothing here sent, as {strays[0][:100]!r}"
        if len(payloads) != count:
            return f"a member had {len(payloads)} of {count} messages"
        if missing > 0:
            short = sum(size < self._bytes[self._recorder] for size in self._bytes.values())
            return f"{short} of {len(self._sockets)} members lacked messages"
        different = sum(crc != self._crcs[self._recorder] for crc in self._crcs.values())
        return f"{different} members had different bytes" if different else None


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
