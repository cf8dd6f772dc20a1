"""Whether a socket's peer is alive: from its pong, and from the kernel's state of the bytes sent to it.

On a slow link a missing pong proves nothing: it waits behind all unsent bytes. The kernel's state is read on Linux;
elsewhere only the bytes that wait in this process are known.
"""

import fcntl
import socket
import struct
import sys
import termios
from enum import Enum
from typing import Any, NamedTuple

# A peer whose kernel answers, but which reads nothing. Longer than the steps in which a receive window of 64 KiB
# opens for a reader of 100 bytes a second.
STALLED_SECONDS = 60.0

# A kernel without memory for incoming data answers each retransmission, and the pauses between these double. Shorter
# silence does not distinguish it from a dead host.
SILENT_SECONDS = 35.0

# Fields of `struct tcp_info` in linux/tcp.h: packets in flight, milliseconds since the last ACK, bytes acknowledged,
# and bytes not sent yet.
TCP_INFO_BYTES = 152
IN_FLIGHT = struct.Struct("=24xI")
LAST_ACK_MS = struct.Struct("=56xI")
ACKNOWLEDGED = struct.Struct("=120xQ")
NOT_SENT = struct.Struct("=144xI")


class TransportState(NamedTuple):
    """The state of a connection at one moment. Bytes, except for `silent_seconds`."""

    # Unsent bytes: in this process and, where the kernel reports it, in the kernel.
    queued: int
    # Those and the bytes in flight.
    unacknowledged: int
    # None where it is not known, as on a UNIX socket.
    acknowledged: int | None = None
    # Since the last ACK; 0 when none is due.
    silent_seconds: float = 0.0


class Verdict(Enum):
    """The decision about a pending ping."""

    WAIT = "wait"
    DEAD = "dead"  # The peer is gone.
    STALLED = "stalled"  # The peer is alive, but reads nothing.


def read_transport_state(connection: Any, in_process: int) -> TransportState:
    """Read the state of a socket.

    Args:
        connection: the socket.
        in_process: bytes that wait for it in this process.

    Raises:
        OSError: when the connection has ended.
    """
    if sys.platform != "linux":
        return TransportState(in_process, in_process)
    (in_kernel,) = struct.unpack("=i", fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, b"\0\0\0\0"))
    if connection.family == socket.AF_UNIX:
        return TransportState(in_process + in_kernel, in_process + in_kernel)
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
    if len(info) < TCP_INFO_BYTES:
        return TransportState(in_process + in_kernel, in_process + in_kernel)
    (in_flight,), (last_ack_ms,) = IN_FLIGHT.unpack_from(info), LAST_ACK_MS.unpack_from(info)
    (acknowledged,), (not_sent,) = ACKNOWLEDGED.unpack_from(info), NOT_SENT.unpack_from(info)
    silent_seconds = last_ack_ms / 1000 if in_flight else 0.0
    return TransportState(in_process + not_sent, in_process + in_kernel, acknowledged, silent_seconds)


class PendingPing:
    """A ping without a pong yet. Exists only for sockets that have sent nothing for a while."""

    __slots__ = ("_arrival_bytes", "_arrived_at", "_last", "_progress_at", "_sent_at")

    def __init__(self, now: float, state: TransportState) -> None:
        """`state` is read right after the ping was written."""
        self._sent_at = self._progress_at = now
        self._arrived_at: float | None = None
        self._last = state
        # The count of acknowledged bytes that proves the arrival of the ping.
        self._arrival_bytes = None if state.acknowledged is None else state.acknowledged + state.unacknowledged

    def evaluate(self, now: float, state: TransportState, interval: float, timeout: float) -> Verdict:
        """Decide about the peer.

        Args:
            now: seconds of a monotonic clock.
            state: the current state of the connection.
            interval: seconds without a byte from the peer before the ping.
            timeout: seconds that a pong may take after the ping has arrived.
        """
        if self._has_progress(state):
            self._progress_at = now
        self._last = state
        if self._arrived_at is None and self._has_arrived(state):
            self._arrived_at = now
        if state.queued == 0 and self._arrived_at is not None:
            return Verdict.DEAD if now - self._arrived_at >= timeout else Verdict.WAIT
        silent_limit = max(interval + timeout, SILENT_SECONDS if state.queued else 0)
        if state.silent_seconds >= silent_limit and now - self._sent_at >= timeout:
            return Verdict.DEAD
        # Only TCP opens its window in steps; on other sockets each read shows.
        stalled_limit = timeout if state.acknowledged is None else max(timeout, STALLED_SECONDS)
        return Verdict.STALLED if now - self._progress_at >= stalled_limit else Verdict.WAIT

    def _has_progress(self, state: TransportState) -> bool:
        if state.acknowledged is None or self._last.acknowledged is None:
            return state.unacknowledged < self._last.unacknowledged
        return state.acknowledged > self._last.acknowledged

    def _has_arrived(self, state: TransportState) -> bool:
        if state.acknowledged is None or self._arrival_bytes is None:
            return state.unacknowledged == 0
        return state.acknowledged >= self._arrival_bytes
