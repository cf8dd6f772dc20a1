"""Sockets or streams of one room, each of which is read and checked by itself.

A stream gets an id after each write, so streams have different bytes, and a sum of all bytes would show no fault.
The bytes are kept, and read after the measurement: a delivery costs the client a system call and a search for its mark.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.frames import TEXT, FrameReader, StreamReader
from bench.load_client import CLOSED, EVENTS, NAP_SECONDS, NOISE_SECONDS, STALL_SECONDS, Broken, Sender

# The events in the bytes of one member. Raises Broken for anything else.
Read = Callable[[bytes], list[bytes]]
BUFFER_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Received:
    """When each message came to each member, by time.perf_counter(), and the events, which were the same for all."""

    arrived_at: list[float]
    payloads: list[bytes]


def events_of_socket(raw: bytes) -> list[bytes]:
    """Read the text frames of a WebSocket."""
    reader = FrameReader()
    frames = reader.feed(raw)
    if any(opcode != TEXT for opcode, _ in frames) or not reader.is_at_boundary:
        raise Broken("the server sent a frame that is not text, or a part of one")
    return [payload for _, payload in frames]


def events_of_stream(raw: bytes) -> list[bytes]:
    """Read the events of a stream, and check that an id follows the last one."""
    reader = StreamReader()
    blocks = reader.feed(raw)
    if not reader.is_at_boundary:
        raise Broken("the server sent a part of a block")
    names = [name for name, _ in blocks if name]
    if names and names[-1] != b"id":
        raise Broken("no id follows the last event")
    return [value for name, value in blocks if name == b"data"]


class Crowd:
    """`read`: for the kind of its connections. They are idle before each `receive`."""

    def __init__(self, sockets: Sequence[socket.socket], read: Read) -> None:
        self._sockets = {member.fileno(): member for member in sockets}
        self._read = read
        self._poll = select.epoll()
        for fd in self._sockets:
            self._poll.register(fd, select.EPOLLIN)

    def __len__(self) -> int:
        return len(self._sockets)

    def close(self) -> None:
        self._poll.close()
        for member in self._sockets.values():
            member.close()

    def drain(self, quiet_seconds: float) -> None:
        """Discard what comes, until nothing has come for `quiet_seconds`."""
        noisy_until = time.monotonic() + NOISE_SECONDS
        while events := self._poll.poll(quiet_seconds, EVENTS):
            if time.monotonic() > noisy_until:
                raise Broken(f"members have had frames for {NOISE_SECONDS:.0f} s while nothing was sent")
            for fd, _ in events:
                if not self._sockets[fd].recv(BUFFER_BYTES):
                    raise Broken(CLOSED)

    def receive(self, sender: Sender, numbers: range) -> Received:
        """Have the messages sent, and read until each member has all of them. Raises Broken."""
        mark, size = sender.mark, len(sender.mark) - 1
        chunks: dict[int, list[bytes]] = {fd: [] for fd in self._sockets}
        tails = dict.fromkeys(self._sockets, b"")
        missing = dict.fromkeys(self._sockets, len(numbers))
        arrived_at: list[float] = []
        self._poll.register(sender.fd or 0, select.EPOLLIN)
        try:
            sender.begin(numbers)
            stalled_at = time.perf_counter() + STALL_SECONDS
            while missing:
                events = self._poll.poll(0, EVENTS)
                if not events:
                    if time.perf_counter() > stalled_at:
                        raise Broken(f"{len(missing)} of {len(self)} members lacked messages")
                    time.sleep(NAP_SECONDS)
                    continue
                for fd, _ in events:
                    if fd == sender.fd:
                        sender.on_readable()
                        continue
                    if not (chunk := self._sockets[fd].recv(BUFFER_BYTES)):
                        raise Broken(CLOSED)
                    chunks[fd].append(chunk)
                    found = (tails[fd] + chunk).count(mark)
                    # A mark may be cut by the end of what was read.
                    tails[fd] = chunk[-size:]
                    if found:
                        stalled_at = (now := time.perf_counter()) + STALL_SECONDS
                        arrived_at += [now] * found
                        missing[fd] = missing.get(fd, 0) - found
                        if missing[fd] <= 0:
                            del missing[fd]
        finally:
            self._poll.unregister(sender.fd or 0)
        # The ends of the last writes, such as ids.
        while events := self._poll.poll(0.05, EVENTS):
            for fd, _ in events:
                chunks[fd].append(self._sockets[fd].recv(BUFFER_BYTES))
        return Received(arrived_at, self._same_for_all(chunks, len(numbers)))

    def _same_for_all(self, chunks: dict[int, list[bytes]], count: int) -> list[bytes]:
        """Return the events of one member, which all have had."""
        first: list[bytes] | None = None
        for raw in chunks.values():
            payloads = self._read(b"".join(raw))
            first = payloads if first is None else first
            if payloads != first:
                raise Broken("two members had different events")
        if len(first or ()) != count:
            raise Broken(f"members had {len(first or ())} events, not {count}")
        return first or []
