"""Many clients that post, each its next message when the last one is answered, and one reader that gets them all."""

import select
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.frames import CLOSE, FrameReader
from bench.load_client import STALL_SECONDS, Broken


@dataclass(frozen=True, slots=True)
class Posting:
    """`seconds`: from the first post to the last answer.

    `read`: the messages that the reader got meanwhile and after. `aside`: frames that it got beside them.
    """

    answered: int
    seconds: float
    waits: list[float]
    read: list[bytes]
    aside: list[bytes]


def post_for(
    seconds: float,
    senders: list[socket.socket],
    reader: socket.socket,
    make: Callable[[int], bytes],
    check: Callable[[bytes], None],
    mark: bytes,
) -> Posting:
    """Keep one post of each sender in flight for `seconds`; then wait for the answers and the reader.

    `mark`: bytes of each message.
    """
    poll = select.epoll()
    by_fd = {sender.fileno(): sender for sender in senders}
    readers = {fd: FrameReader() for fd in (*by_fd, reader.fileno())}
    for fd in readers:
        poll.register(fd, select.EPOLLIN)
    sent_at = {}
    waits: list[float] = []
    read: list[bytes] = []
    aside: list[bytes] = []
    number = 0
    clock = time.perf_counter
    began = last_answer = clock()
    for fd, sender in by_fd.items():
        sender.send(make(number))
        number += 1
        sent_at[fd] = clock()
    end = began + seconds
    try:
        while sent_at or len(read) < len(waits):
            events = poll.poll(STALL_SECONDS)
            if not events:
                raise Broken(f"{len(sent_at)} posts without an answer; the reader has {len(read)} of {len(waits)}")
            for fd, _ in events:
                client = by_fd.get(fd, reader)
                for opcode, payload in readers[fd].feed(client.recv(1 << 18)):
                    if opcode == CLOSE:
                        raise Broken(f"the server closed a socket: {payload!r}")
                    if client is reader:
                        (read if mark in payload else aside).append(payload)
                        continue
                    check(payload)
                    last_answer = clock()
                    waits.append(last_answer - sent_at.pop(fd))
                    if last_answer < end:
                        client.send(make(number))
                        number += 1
                        sent_at[fd] = clock()
    finally:
        poll.close()
    return Posting(len(waits), last_answer - began, waits, read, aside)
