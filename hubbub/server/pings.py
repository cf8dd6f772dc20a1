"""Whether a socket's peer is still there: what its ping came to, and what the kernel says of the bytes sent to it.

A missing pong alone tells nothing of a slow link, where it waits behind all that is still to be sent. Linux; elsewhere
only what waits in this process is known.
"""

import fcntl
import socket
import struct
import sys
import termios
from enum import Enum
from typing import Any, NamedTuple

# A peer whose kernel answers, and which takes none of what waits for it. Longer than the steps in which a receive
# window of 64 KiB opens when somebody reads 100 bytes a second.
STALLED_SECONDS = 60.0

# A kernel that has no memory for what is sent to it answers each retransmission, and the pauses between these double.
# For less than this, silence does not tell it from a host that has gone.
SILENT_SECONDS = 35.0

# Of `struct tcp_info` in linux/tcp.h: packets in flight, milliseconds since the last ACK, bytes acknowledged, and
# bytes that are still to be sent for the first time.
TCP_INFO_BYTES = 152
IN_FLIGHT = struct.Struct("=24xI")
LAST_ACK_MS = struct.Struct("=56xI")
ACKNOWLEDGED = struct.Struct("=120xQ")
NOT_SENT = struct.Struct("=144xI")


class Look(NamedTuple):
    """What is known of a connection at one moment. Bytes, but for `silent_seconds`."""

    # In this process and, where the kernel tells it, not yet under way.
    queued: int
    # That, and what is under way without an acknowledgement.
    unacknowledged: int
    # None: not known, as on a UNIX socket.
    acknowledged: int | None = None
    # Since the last ACK; 0 when none is due.
    silent_seconds: float = 0.0


class Verdict(Enum):
    WAIT = "wait"
    DEAD = "dead"
    STALLED = "stalled"


def look(connection: Any, in_process: int) -> Look:
    """`connection`: the socket; `in_process`: bytes that wait for it here. Raises OSError when it has ended."""
    if sys.platform != "linux":
        return Look(in_process, in_process)
    (in_kernel,) = struct.unpack("=i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
    if connection.family == socket.AF_UNIX:
        return Look(in_process + in_kernel, in_process + in_kernel)
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    if len(info) < TCP_INFO_BYTES:
        return Look(in_process + in_kernel, in_process + in_kernel)
    (in_flight,), (last_ack_ms,) = IN_FLIGHT.unpack_from(info), LAST_ACK_MS.unpack_from(info)
    (acknowledged,), (not_sent,) = ACKNOWLEDGED.unpack_from(info), NOT_SENT.unpack_from(info)
    silent = last_ack_ms / 1000 if in_flight else 0.0
    return Look(in_process + not_sent, in_process + in_kernel, acknowledged, silent)


class Asked:
    """A ping that has no answer yet. Exists for sockets from which nothing has come for a while."""

    __slots__ = ("_arrived_at", "_before_pong", "_last", "_moved_at", "_pinged_at")

    def __init__(self, now: float, first: Look) -> None:
        """`first`: right after the ping was written."""
        self._pinged_at = self._moved_at = now
        self._arrived_at: float | None = None
        self._last = first
        # Acknowledged bytes that say that the ping has arrived.
        self._before_pong = None if first.acknowledged is None else first.acknowledged + first.unacknowledged

    def judge(self, now: float, found: Look, interval: float, timeout: float) -> Verdict:
        """Seconds: of silence before the ping, and that a pong may take once the ping has arrived."""
        if self._has_moved(found):
            self._moved_at = now
        self._last = found
        if self._arrived_at is None and self._has_arrived(found):
            self._arrived_at = now
        if found.queued == 0 and self._arrived_at is not None:
            return Verdict.DEAD if now - self._arrived_at >= timeout else Verdict.WAIT
        silent = max(interval + timeout, SILENT_SECONDS if found.queued else 0)
        if found.silent_seconds >= silent and now - self._pinged_at >= timeout:
            return Verdict.DEAD
        # Only TCP opens its window in steps: elsewhere each read shows.
        patience = timeout if found.acknowledged is None else max(timeout, STALLED_SECONDS)
        return Verdict.STALLED if now - self._moved_at >= patience else Verdict.WAIT

    def _has_moved(self, found: Look) -> bool:
        if found.acknowledged is None or self._last.acknowledged is None:
            return found.unacknowledged < self._last.unacknowledged
        return found.acknowledged > self._last.acknowledged

    def _has_arrived(self, found: Look) -> bool:
        if found.acknowledged is None or self._before_pong is None:
            return found.unacknowledged == 0
        return found.acknowledged >= self._before_pong
