"""Quotas of users and sockets, decided at once from the knowledge of this process.

`hubbub.limits.usage_sync` adds the usage on other processes once a second. Without Redis this process decides alone.
"""

import functools
import heapq
import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any, TypeVar

from hubbub import conf
from hubbub.limits.client_addresses import is_shared
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import network_of
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, log_event
from hubbub.protocol import ErrorCode, Refused

REFUSED_SECONDS = 10.0  # The window of `refused_commands`.
QUIET_SECONDS = 60.0  # Between two log lines on one user or address.

RETRY_SECONDS = 5  # Retry-After of a refused handshake; unauthenticated sockets time out within it.

# Users in one report, some tens of kilobytes. Of more users, those with the highest counts.
MAX_REPORTED = 2_000


class UserQuota:
    """A rate limit per user, and the usage since the last report to other processes."""

    __slots__ = ("_buckets", "_used")

    def __init__(self, *, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._buckets = Buckets(per_second=per_second, burst=burst, clock=clock)
        self._used: dict[str, int] = {}

    def take(self, user_id: str) -> float:
        """Take one token. Returns 0.0, or the seconds until there is one."""
        wait = self._buckets.take(user_id)
        if not wait:
            self._used[user_id] = self._used.get(user_id, 0) + 1
        return wait

    def take_usage(self) -> dict[str, int]:
        """The usage by user since the last call."""
        used, self._used = self._used, {}
        return _largest(used)

    def apply_remote(self, used: Mapping[str, int]) -> None:
        """Charge the usage on another process."""
        for user_id, count in used.items():
            self._buckets.charge(user_id, count)


@dataclass(frozen=True, slots=True)
class UnknownSlot:
    """The slot of unauthenticated sockets of a network. A type of its own: a user id may look like an address."""

    network: str


@dataclass(frozen=True, slots=True)
class VisitorSlot(UnknownSlot):
    """The slot of anonymous visitors of a network."""


S = TypeVar("S", bound=UnknownSlot)

# A socket is counted by its user id, or by its network where it has no user.
Slot = str | UnknownSlot


class Quotas:
    """The quotas of one process; docs/settings.md lists the limits."""

    def __init__(self, tunables: conf.Hubbub, clock: Callable[[], float] = time.monotonic) -> None:
        self.posts = UserQuota(per_second=tunables.posts_per_second, burst=tunables.posts_burst, clock=clock)
        self.commands = UserQuota(per_second=tunables.commands_per_second, burst=tunables.commands_burst, clock=clock)
        refusals = tunables.refused_commands
        self._refusals = Buckets(per_second=refusals / REFUSED_SECONDS, burst=refusals, clock=clock)
        self._log_lines = Buckets(per_second=1 / QUIET_SECONDS, burst=1, clock=clock)
        self._tunables = tunables
        # Sockets by slot; the network "" is for addresses that many clients share.
        self._slots: dict[Slot, int] = {}
        self._without_user: Counter[type[UnknownSlot]] = Counter()
        # Users with many sockets here are reported: from a tenth of the limit, so they are few.
        self._min_reported = max(2, tunables.max_sockets_per_user // 10)
        self._many: dict[str, int] = {}
        # The reported sockets of all other processes.
        self.remote_sockets: dict[str, int] = {}

    def refuse(self, user_id: str, *, is_post: bool) -> Refused | None:
        """Count a command of the user.

        Returns:
            The error for the client if a limit is exceeded, with the time to wait; None: the command is allowed.
        """
        limit, wait = "commands", self.commands.take(user_id)
        if is_post and not wait:
            limit, wait = "posts", self.posts.take(user_id)
        if not wait:
            return None
        COUNTERS.limited[limit] += 1
        return Refused(ErrorCode.RATE_LIMITED, f"too many {limit}", retry_after_ms=math.ceil(wait * 1000))

    def is_flooding(self, user_id: str, address: str | None, connection: str) -> bool:
        """Count a refused command. Returns whether to close the socket because the user does not slow down."""
        is_over = self._refusals.take(user_id) > 0
        kind = Kind.FLOOD_CLOSED if is_over else Kind.RATE_LIMITED
        if is_over:
            COUNTERS.limited["refused_commands"] += 1
        self.log(kind, user_id, address=address, user=user_id, connection=connection)
        return is_over

    # Sockets

    def is_full(self) -> bool:
        """Whether the process has too many sockets, including the calling one."""
        if COUNTERS.sockets <= self._tunables.max_sockets:
            return False
        self._refused("max_sockets", "", detail=f"{self._tunables.max_sockets} sockets")
        return True

    def take_unknown_slot(self, address: str | None) -> UnknownSlot | None:
        """Take a slot for an unauthenticated socket, to give back by `leave`. None: the limit is reached."""
        return self._take_slot(UnknownSlot(_counted_network(address)), "max_unauthenticated", address)

    def take_visitor_slot(self, address: str | None) -> VisitorSlot | None:
        """As `take_unknown_slot`, for a socket of an anonymous visitor."""
        return self._take_slot(VisitorSlot(_counted_network(address)), "max_visitors", address)

    def _take_slot(self, slot: S, limit: str, address: str | None) -> S | None:
        if self._without_user[type(slot)] >= getattr(self._tunables, limit):
            self._refused(limit, "", address=address)
            return None
        per_address = f"{limit}_per_address"
        if slot.network and self._slots.get(slot, 0) >= getattr(self._tunables, per_address):
            self._refused(per_address, slot.network, address=address)
            return None
        self._without_user[type(slot)] += 1
        self._slots[slot] = self._slots.get(slot, 0) + 1
        return slot

    def take_user_slot(self, user_id: str, address: str | None, connection: str) -> str | None:
        """Take a slot for a socket of the user, to give back by `leave`. None: the limit is reached."""
        count = self._slots.get(user_id, 0) + 1
        if count + self.remote_sockets.get(user_id, 0) > self._tunables.max_sockets_per_user:
            self._refused("max_sockets_per_user", user_id, address=address, user=user_id, connection=connection)
            return None
        self._slots[user_id] = count
        if count >= self._min_reported:
            self._many[user_id] = count
        return user_id

    def leave(self, slot: Slot | None) -> None:
        """Give back a slot."""
        if slot is None:
            return
        count = self._slots.pop(slot) - 1
        if count:
            self._slots[slot] = count
        if isinstance(slot, UnknownSlot):
            self._without_user[type(slot)] -= 1
        elif slot in self._many:
            if count >= self._min_reported:
                self._many[slot] = count
            else:
                del self._many[slot]

    def check_groups(self, groups: Collection[str]) -> None:
        """Raises Refused if these are too many groups for one socket."""
        if len(groups) > (limit := self._tunables.max_groups_per_socket):
            COUNTERS.limited["max_groups_per_socket"] += 1
            raise Refused(ErrorCode.TOO_MANY, f"{limit} topics are joined, the most of one socket: leave one first")

    def many_sockets(self) -> dict[str, int]:
        """Users with many sockets here, to report to other processes."""
        return _largest(self._many)

    def _refused(self, limit: str, subject: str, *, detail: str = "", **context: Any) -> None:
        COUNTERS.limited[limit] += 1
        self.log(Kind.TOO_MANY_SOCKETS, f"{limit} {subject}", detail=detail or limit, **context)

    def log(
        self,
        kind: Kind,
        subject: str,
        *,
        address: str | None = None,
        user: str | None = None,
        connection: str | None = None,
        detail: str = "",
    ) -> None:
        """Log the event, at most once a minute for the same kind and subject. The other arguments: see `log_event`."""
        if not self._log_lines.take((kind, subject)):
            log_event(kind, address=address, user=user, connection=connection, detail=detail)


def _counted_network(address: str | None) -> str:
    return "" if is_shared(address) else network_of(address)


def _largest(counts: dict[str, int]) -> dict[str, int]:
    return (
        counts if len(counts) <= MAX_REPORTED else dict(heapq.nlargest(MAX_REPORTED, counts.items(), key=itemgetter(1)))
    )


@functools.cache
def quotas() -> Quotas:
    """The quotas of this process."""
    return Quotas(conf.settings())
