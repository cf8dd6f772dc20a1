"""File descriptors: a limit high enough for all connections, and listening sockets that stop before the last one.

A process without a descriptor cannot open its database, Redis or a file; what it cannot accept the kernel resets.
"""

import logging
import os
import resource
import socket
import time
from collections.abc import Callable
from typing import Any, Protocol

from hubbub import conf
from hubbub.process.metrics import COUNTERS

logger = logging.getLogger(__name__)

# For the database, Redis, bodies of requests, files; and for what one turn accepts past the bound.
RESERVED = 128
MAX_ACCEPTS = 32
LOOK_SECONDS = 0.05
QUIET_SECONDS = 60.0


def needed(tunables: conf.Hubbub) -> int:
    """How many a process needs for all connections that its tunables allow."""
    return tunables.max_sockets + tunables.max_connections + RESERVED


def raise_limit(wanted: int) -> int:
    """Raise the soft limit to `wanted`, or as far as the hard one lets it; the limit then."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return wanted if soft == resource.RLIM_INFINITY else soft
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    logger.info("descriptors: soft limit raised from %d to %d", soft, limit)
    return limit


class Connections(Protocol):
    def give_way(self, count: int) -> int: ...


class Gate:
    """Stops a listening socket while descriptors are short; connections then wait in the kernel. None is reset."""

    def __init__(self, limit: int, connections: Connections) -> None:
        self._limit = limit
        # A quarter at least is for connections, however low the limit.
        self._most = max(limit - RESERVED, limit // 4)
        self._connections = connections
        self._told_at = float("-inf")

    def guard(self, port: Any) -> None:
        """On UNIX sockets a supervisor asks how this process is: they have what is reserved."""
        if port.socket.family == socket.AF_UNIX:
            return
        accept: Callable[[], object] = port.doRead

        def accept_some() -> None:
            if self._is_full(port.fileno()):
                self._wait(port)
            else:
                port.numberAccepts = min(port.numberAccepts, MAX_ACCEPTS)
                accept()

        port.doRead = accept_some

    def _is_full(self, any_descriptor: int) -> bool:
        # The kernel hands out the lowest that is free.
        try:
            lowest = os.dup(any_descriptor)
        except OSError:
            return True
        os.close(lowest)
        return lowest >= self._most

    def _wait(self, port: Any) -> None:
        COUNTERS.limited["descriptors"] += 1
        now = time.monotonic()
        if now - self._told_at > QUIET_SECONDS:
            logger.warning(
                "descriptors: %d of %d in use, closing idle connections; new connections wait",
                *(self._most, self._limit),
            )
        self._told_at = now
        self._connections.give_way(MAX_ACCEPTS)
        port.stopReading()
        port.reactor.callLater(LOOK_SECONDS, self._go_on, port)

    def _go_on(self, port: Any) -> None:
        if port.connected and not port.disconnecting:
            port.startReading()
