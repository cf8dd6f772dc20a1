"""File descriptors: raise the limit, and stop listening sockets before the last descriptor is used.

Without a descriptor the process cannot open its database, Redis or a file, and the kernel resets new connections.
"""

import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from hubbub.process.metrics import COUNTERS

logger = logging.getLogger(__name__)

# For the database, Redis, request bodies, files, and the connections that one turn accepts past the bound.
RESERVED = 128
MAX_ACCEPTS = 32
RETRY_SECONDS = 0.05
QUIET_SECONDS = 60.0  # Between two log lines.


def required_descriptors(*, sockets: int, connections: int) -> int:
    """Descriptors that a process needs for so many sockets and other connections."""
    return sockets + connections + RESERVED


def raise_limit(wanted: int) -> int:
    """Raise the soft limit to `wanted`, at most to the hard limit. Returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    logger.info("descriptors: soft limit raised from %d to %d", soft, limit)
    return limit


class Connections(Protocol):
    def close_idle(self, count: int) -> int:
        """Close up to `count` idle connections; return how many."""


class DescriptorGuard:
    """Pauses listening sockets while descriptors are short; new connections wait in the kernel instead of a reset."""

    def __init__(self, limit: int, connections: Connections) -> None:
        self._limit = limit
        # However low the limit, a quarter is for connections.
        self._max_used = max(limit - RESERVED, limit // 4)
        self._connections = connections
        self._logged_at = float("-inf")

    def guard(self, port: Any) -> None:
        """Guard one listening port. UNIX sockets are exempt: the supervisor probes this process on them."""
        if port.socket.family == socket.AF_UNIX:
            return
        accept: Callable[[], object] = port.doRead

        def accept_or_wait() -> None:
            if self._is_full(port.fileno()):
                self._wait(port)
            else:
                port.numberAccepts = min(port.numberAccepts, MAX_ACCEPTS)
                accept()

        port.doRead = accept_or_wait

    def _is_full(self, any_descriptor: int) -> bool:
        # `dup` returns the lowest free descriptor.
        try:
            lowest = os.dup(any_descriptor)
        except OSError:
            return True
        os.close(lowest)
        return lowest >= self._max_used

    def _wait(self, port: Any) -> None:
        COUNTERS.limited["descriptors"] += 1
        now = time.monotonic()
        if now - self._logged_at > QUIET_SECONDS:
            logger.warning(
                "descriptors: %d of %d in use, closing idle connections; new connections wait",
                *(self._max_used, self._limit),
            )
        self._logged_at = now
        self._connections.close_idle(MAX_ACCEPTS)
        port.stopReading()
        port.reactor.callLater(RETRY_SECONDS, self._resume, port)

    def _resume(self, port: Any) -> None:
        if port.connected and not port.disconnecting:
            port.startReading()
