"""Limits on HTTP connections of this process: their number, and the bytes that wait for slow clients.

A new connection is always accepted. Past a limit the longest idle connections are closed, then those of the slowest
readers. WebSockets do not count here: they have limits of their own, in hubbub.limits.quotas.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

from hubbub import conf
from hubbub.limits.client_addresses import counted_address
from hubbub.limits.token_buckets import Buckets
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, log_event

SWEEP_SECONDS = 1.0
GRACE_SECONDS = 5.0  # For a first request: many new clients from one address are not an attack.
QUIET_SECONDS = 60.0  # Between two log lines for one limit and address.


class Channel(Protocol):
    """A connection: see hubbub.server.connection."""

    transport: Any
    address: str | None
    is_local: bool
    idle_since: float | None
    unsent_bytes: int
    last_progress: object
    progress_at: float

    @property
    def pending_bytes(self) -> int: ...

    @property
    def has_unread(self) -> bool: ...

    def progress(self) -> object: ...

    def loseConnection(self) -> object: ...

    def refuse(self, status: int, reason: str, *headers: str) -> None: ...


class Connections:
    """All HTTP connections of this process. Channels report their state; `sweep` closes idle and stuck ones."""

    def __init__(self, tunables: conf.Hubbub, clock: Callable[[], float] = time.monotonic) -> None:
        self._tunables = tunables
        self._clock = clock
        self._all: dict[Channel, None] = {}
        self._by_address: dict[str, dict[Channel, None]] = {}
        # Oldest first: connections without a request, with unsent bytes, and with an application that waits for these.
        self._idle: dict[Channel, None] = {}
        self._behind: dict[Channel, None] = {}
        self._blocked: dict[Channel, None] = {}
        self._bytes = 0
        self._log_budget = Buckets(per_second=1 / QUIET_SECONDS, burst=1, clock=clock)

    def __len__(self) -> int:
        return len(self._all)

    # Reported by connections

    def opened(self, channel: Channel) -> None:
        host = _host_of(channel)
        channel.address, channel.is_local = counted_address(host), host is None
        if len(self._all) >= self._tunables.max_connections:
            self._count_limit("connections", channel)
            if not self.close_idle(1) and not self._abort_slowest() and not channel.is_local:
                channel.refuse(503, "Service Unavailable", "Retry-After: 5")
        self._all[channel] = None
        if channel.address is not None:
            same = self._by_address.setdefault(channel.address, {})
            same[channel] = None
            if len(same) > self._tunables.max_connections_per_address:
                self._close_excess(same)
        self.mark_idle(channel)

    def closed(self, channel: Channel) -> None:
        """The connection ended, or became a WebSocket."""
        if channel not in self._all:
            return
        del self._all[channel]
        for group in (self._idle, self._behind, self._blocked):
            group.pop(channel, None)
        self._bytes -= channel.unsent_bytes
        channel.unsent_bytes = 0
        if channel.address is not None:
            same = self._by_address[channel.address]
            del same[channel]
            if not same:
                del self._by_address[channel.address]

    def mark_idle(self, channel: Channel) -> None:
        """It waits for a request."""
        if channel in self._all:
            channel.idle_since = self._clock()
            self._idle.pop(channel, None)
            self._idle[channel] = None

    def mark_busy(self, channel: Channel) -> None:
        """It has a complete request."""
        channel.idle_since = None
        self._idle.pop(channel, None)

    def mark_behind(self, channel: Channel) -> None:
        """Much of its answer is unsent. Past the limit for all, the connections that fell behind first are cut."""
        if channel not in self._all:
            return
        self._set_unsent(channel, channel.pending_bytes)
        while self._bytes > self._tunables.answers_bytes and self._abort_slowest("answers_bytes"):
            pass

    def mark_sent(self, channel: Channel) -> None:
        """Its answer is completely sent."""
        if channel in self._all:
            self._set_unsent(channel, 0)

    def mark_blocked(self, channel: Channel) -> None:
        """Its application waits until the client reads more of the answer."""
        self._blocked[channel] = None
        if len(self._blocked) > self._tunables.slow_answers:
            self._abort(next(iter(self._blocked)), "slow_answers")

    def mark_unblocked(self, channel: Channel) -> None:
        self._blocked.pop(channel, None)

    # Enforcement

    def close_idle(self, count: int) -> int:
        """Close up to `count` idle connections. Return how many were closed."""
        closing = list(islice(self._closable(), count))
        for channel in closing:
            self._close(channel)
        return len(closing)

    def _closable(self) -> Iterator[Channel]:
        # A local connection of the supervisor gets time for its probe.
        idle_by = self._clock() - GRACE_SECONDS
        idle = (channel for channel in self._idle if not channel.is_local or _idle_since(channel) <= idle_by)
        return (channel for channel in idle if not channel.has_unread)

    def sweep(self) -> None:
        """Cut connections whose client reads nothing, and close idle ones of an address with too many.

        Call it every SWEEP_SECONDS.
        """
        now = self._clock()
        for channel in [channel for channel in self._all if channel.pending_bytes or channel.unsent_bytes]:
            if (pending := channel.pending_bytes) != channel.unsent_bytes:
                self._set_unsent(channel, pending)
            if not pending:
                continue
            if (progress := channel.progress()) != channel.last_progress:
                channel.last_progress, channel.progress_at = progress, now
            elif now - channel.progress_at >= self._tunables.answer_seconds:
                self._abort(channel, "answer_seconds")
        for same in [*self._by_address.values()]:
            if len(same) > self._tunables.max_connections_per_address:
                self._close_excess(same)

    def _close_excess(self, same: dict[Channel, None]) -> None:
        """Close the excess connections of one address that have been idle for GRACE_SECONDS."""
        idle_by = self._clock() - GRACE_SECONDS
        idle = [channel for channel in same if channel.idle_since is not None and channel.idle_since <= idle_by]
        idle.sort(key=_idle_since)
        # Requests of reconnecting clients may wait unread while the process is busy.
        closable = (channel for channel in idle if not channel.has_unread)
        for channel in islice(closable, len(same) - self._tunables.max_connections_per_address):
            self._count_limit("max_connections_per_address", channel)
            self._close(channel)

    def _close(self, channel: Channel) -> None:
        self.mark_busy(channel)
        channel.loseConnection()

    def _abort_slowest(self, limit: str = "connections") -> bool:
        """Cut the connection that has been behind for longest. Return whether there was one."""
        channel = next(self._slow_connections(), None)
        if channel is not None:
            self._abort(channel, limit)
        return channel is not None

    def _slow_connections(self) -> Iterator[Channel]:
        return (channel for channel in self._behind if channel.unsent_bytes)

    def _abort(self, channel: Channel, limit: str) -> None:
        self._count_limit(limit, channel)
        self._set_unsent(channel, 0)
        self._blocked.pop(channel, None)
        channel.transport.abortConnection()

    def _set_unsent(self, channel: Channel, pending: int) -> None:
        self._bytes += pending - channel.unsent_bytes
        channel.unsent_bytes = pending
        if not pending:
            channel.last_progress = None
            self._behind.pop(channel, None)
        else:
            self._behind.setdefault(channel)

    def _count_limit(self, limit: str, channel: Channel) -> None:
        COUNTERS.limited[limit] += 1
        if not self._log_budget.take((limit, channel.address)):
            log_event(Kind.TOO_MANY_CONNECTIONS, address=_host_of(channel), detail=limit)


def _host_of(channel: Channel) -> str | None:
    host: str | None = getattr(channel.transport.getPeer(), "host", None)
    return host


def _idle_since(channel: Channel) -> float:
    return channel.idle_since or 0.0
