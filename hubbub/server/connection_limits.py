"""The HTTP connections of this process: how many there may be, and how much may wait for their clients.

A new connection is let in. Past a bound those give way that wait longest for a request, then those whose client does
not take its answer. A WebSocket is none of them: sockets have bounds of their own, in hubbub.limits.quotas.
"""

import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any, Protocol

from hubbub import conf
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import counted_address
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, log_event

LOOK_SECONDS = 1.0
GRACE_SECONDS = 5.0  # For a first request: many clients that come from one address at once are no attack.
QUIET_SECONDS = 60.0  # Between two lines on one limit, for one address.


class Channel(Protocol):
    """What is asked of a connection: see hubbub.server.connection."""

    transport: Any
    address: str | None
    is_local: bool
    waits_since: float | None
    counted_bytes: int
    taken: object
    taken_at: float

    @property
    def pending_bytes(self) -> int: ...

    @property
    def has_unread(self) -> bool: ...

    def progress(self) -> object: ...

    def loseConnection(self) -> object: ...

    def refuse(self, status: int, reason: str, *headers: str) -> None: ...


class Connections:
    def __init__(self, tunables: conf.Hubbub, clock: Callable[[], float] = time.monotonic) -> None:
        self._tunables = tunables
        self._clock = clock
        self._all: dict[Channel, None] = {}
        self._by_address: dict[str, dict[Channel, None]] = {}
        # Those without a request, those of whose answers something waits, and those whose application waits for that:
        # the longest first.
        self._waiting: dict[Channel, None] = {}
        self._behind: dict[Channel, None] = {}
        self._blocked: dict[Channel, None] = {}
        self._bytes = 0
        self._untold = Buckets(per_second=1 / QUIET_SECONDS, burst=1, clock=clock)

    def __len__(self) -> int:
        return len(self._all)

    # What becomes of a connection

    def opened(self, channel: Channel) -> None:
        host = _host_of(channel)
        channel.address, channel.is_local = counted_address(host), host is None
        if len(self._all) >= self._tunables.max_connections:
            self._limited("connections", channel)
            if not self.give_way(1) and not self._cut_behind() and not channel.is_local:
                channel.refuse(503, "Service Unavailable", "Retry-After: 5")
        self._all[channel] = None
        if channel.address is not None:
            same = self._by_address.setdefault(channel.address, {})
            same[channel] = None
            if len(same) > self._tunables.max_connections_per_address:
                self._close_idle(same)
        self.waits(channel)

    def closed(self, channel: Channel) -> None:
        """It is no HTTP connection any more."""
        if channel not in self._all:
            return
        del self._all[channel]
        for group in (self._waiting, self._behind, self._blocked):
            group.pop(channel, None)
        self._bytes -= channel.counted_bytes
        channel.counted_bytes = 0
        if channel.address is not None:
            same = self._by_address[channel.address]
            del same[channel]
            if not same:
                del self._by_address[channel.address]

    def waits(self, channel: Channel) -> None:
        """It has no request, and may have one."""
        if channel in self._all:
            channel.waits_since = self._clock()
            self._waiting.pop(channel, None)
            self._waiting[channel] = None

    def works(self, channel: Channel) -> None:
        """It has a whole request."""
        channel.waits_since = None
        self._waiting.pop(channel, None)

    def falls_behind(self, channel: Channel) -> None:
        """Much of its answer waits to be sent. Past the bound for all, those are cut that were behind first."""
        if channel not in self._all:
            return
        self._count(channel, channel.pending_bytes)
        while self._bytes > self._tunables.answers_bytes and self._cut_behind("answers_bytes"):
            pass

    def catches_up(self, channel: Channel) -> None:
        """All of its answer has been sent."""
        if channel in self._all:
            self._count(channel, 0)

    def blocks(self, channel: Channel) -> None:
        """Its application waits until more of its answer was taken."""
        self._blocked[channel] = None
        if len(self._blocked) > self._tunables.slow_answers:
            self._cut(next(iter(self._blocked)), "slow_answers")

    def goes_on(self, channel: Channel) -> None:
        self._blocked.pop(channel, None)

    # What is done about it

    def give_way(self, count: int) -> int:
        """Close up to so many that wait for a request; how many were found."""
        leaving = list(islice(self._may_leave(), count))
        for channel in leaving:
            self._close(channel)
        return len(leaving)

    def _may_leave(self) -> Iterator[Channel]:
        # A supervisor that asks how this process is has the time to do so.
        by = self._clock() - GRACE_SECONDS
        waiting = (one for one in self._waiting if not one.is_local or _waits_since(one) <= by)
        return (one for one in waiting if not one.has_unread)

    def look(self) -> None:
        """To be called every LOOK_SECONDS: cut who takes nothing, and close who is idle beside too many others."""
        now = self._clock()
        for channel in [one for one in self._all if one.pending_bytes or one.counted_bytes]:
            if (pending := channel.pending_bytes) != channel.counted_bytes:
                self._count(channel, pending)
            if not pending:
                continue
            if (taken := channel.progress()) != channel.taken:
                channel.taken, channel.taken_at = taken, now
            elif now - channel.taken_at >= self._tunables.answer_seconds:
                self._cut(channel, "answer_seconds")
        for same in [*self._by_address.values()]:
            if len(same) > self._tunables.max_connections_per_address:
                self._close_idle(same)

    def _close_idle(self, same: dict[Channel, None]) -> None:
        """Those of one address that are too many, if they have had the time for a request."""
        by = self._clock() - GRACE_SECONDS
        idle = [one for one in same if one.waits_since is not None and one.waits_since <= by]
        idle.sort(key=_waits_since)
        # A crowd that reconnects may have sent its requests before a busy process comes to read them.
        silent = (one for one in idle if not one.has_unread)
        for channel in islice(silent, len(same) - self._tunables.max_connections_per_address):
            self._limited("max_connections_per_address", channel)
            self._close(channel)

    def _close(self, channel: Channel) -> None:
        self.works(channel)
        channel.loseConnection()

    def _cut_behind(self, limit: str = "connections") -> bool:
        """Cut the connection that has been behind for longest; whether there was one."""
        channel = next(self._still_behind(), None)
        if channel is not None:
            self._cut(channel, limit)
        return channel is not None

    def _still_behind(self) -> Iterator[Channel]:
        return (channel for channel in self._behind if channel.counted_bytes)

    def _cut(self, channel: Channel, limit: str) -> None:
        self._limited(limit, channel)
        self._count(channel, 0)
        self._blocked.pop(channel, None)
        channel.transport.abortConnection()

    def _count(self, channel: Channel, pending: int) -> None:
        self._bytes += pending - channel.counted_bytes
        channel.counted_bytes = pending
        if not pending:
            channel.taken = None
            self._behind.pop(channel, None)
        else:
            self._behind.setdefault(channel)

    def _limited(self, limit: str, channel: Channel) -> None:
        COUNTERS.limited[limit] += 1
        if not self._untold.take((limit, channel.address)):
            log_event(Kind.TOO_MANY_CONNECTIONS, address=_host_of(channel), detail=limit)


def _host_of(channel: Channel) -> str | None:
    host: str | None = getattr(channel.transport.getPeer(), "host", None)
    return host


def _waits_since(channel: Channel) -> float:
    return channel.waits_since or 0.0
