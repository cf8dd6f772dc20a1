"""How much a user may do and how many sockets there may be: decided here at once, by what this process knows.

What others have used comes once a second, by `hubbub.limits.usage_sync`. Without Redis this process decides alone.
"""

import functools
import heapq
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from operator import itemgetter
from typing import Any

from hubbub import conf
from hubbub.limits.token_buckets import Buckets
from hubbub.process.addresses import is_shared, network_of
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, log_event
from hubbub.protocol import ErrorCode, Refused

REFUSED_SECONDS = 10.0  # Within which `refused_commands` may be refused.
QUIET_SECONDS = 60.0  # Who goes on and on is logged once in so long.

RETRY_SECONDS = 5  # Whoever finds no place: within so long those who did not say who they are have gone.

# What one process tells of in a round: some tens of kilobytes. Of more users, those who used most.
MAX_TOLD = 2_000


class UserQuota:
    """What each user may do so often: a bucket each, and what was taken since the others were told."""

    __slots__ = ("_buckets", "_used")

    def __init__(self, *, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._buckets = Buckets(per_second=per_second, burst=burst, clock=clock)
        self._used: dict[str, int] = {}

    def take(self, user_id: str) -> float:
        """0.0, or the seconds until the user may."""
        wait = self._buckets.take(user_id)
        if not wait:
            self._used[user_id] = self._used.get(user_id, 0) + 1
        return wait

    def take_usage(self) -> dict[str, int]:
        """What users took since the last call."""
        used, self._used = self._used, {}
        return _greatest(used)

    def apply_remote(self, used: Mapping[str, int]) -> None:
        """What users took in another process is taken here as well."""
        for user_id, count in used.items():
            self._buckets.charge(user_id, count)


@dataclass(frozen=True, slots=True)
class Stranger:
    """Sockets of a network that have not said who they are. A user's id may read like an address."""

    network: str


# What a socket takes a place by: its user's id, or where it comes from.
Slot = str | Stranger


class Quotas:
    """All of one process; see docs/settings.md for what each limit is."""

    def __init__(self, tunables: conf.Hubbub, clock: Callable[[], float] = time.monotonic) -> None:
        self.posts = UserQuota(per_second=tunables.posts_per_second, burst=tunables.posts_burst, clock=clock)
        self.commands = UserQuota(per_second=tunables.commands_per_second, burst=tunables.commands_burst, clock=clock)
        most = tunables.refused_commands
        self._patience = Buckets(per_second=most / REFUSED_SECONDS, burst=most, clock=clock)
        self._untold = Buckets(per_second=1 / QUIET_SECONDS, burst=1, clock=clock)
        self._tunables = tunables
        # Sockets by user, and by address those that have no user yet; "" is for addresses that stand for many.
        self._slots: dict[Slot, int] = {}
        self._unknown = 0
        # Users with many sockets here, whom the others are told of: a tenth of the limit, so no crowd of them.
        self._least_told = max(2, tunables.max_sockets_per_user // 10)
        self._many: dict[str, int] = {}
        # The same of the other processes, together.
        self.sockets_elsewhere: dict[str, int] = {}

    def refuse(self, user_id: str, *, is_post: bool) -> Refused | None:
        """Count a command of the user's; what to answer instead of doing it, if there were too many."""
        limit, wait = "commands", self.commands.take(user_id)
        if is_post and not wait:
            limit, wait = "posts", self.posts.take(user_id)
        if not wait:
            return None
        COUNTERS.limited[limit] += 1
        return Refused(ErrorCode.RATE_LIMITED, f"too many {limit}", retry_after_ms=math.ceil(wait * 1000))

    def is_flooding(self, user_id: str, address: str | None, connection: str) -> bool:
        """Count that a command was refused; whether the socket is to be closed, since the user does not stop."""
        is_over = self._patience.take(user_id) > 0
        kind = Kind.FLOOD_CLOSED if is_over else Kind.RATE_LIMITED
        if is_over:
            COUNTERS.limited["refused_commands"] += 1
        self.log(kind, user_id, address=address, user=user_id, connection=connection)
        return is_over

    # Sockets

    def is_full(self) -> bool:
        """Whether the process has too many sockets, with the one that asks."""
        if COUNTERS.sockets <= self._tunables.max_sockets:
            return False
        self._refused("max_sockets", "", detail=f"{self._tunables.max_sockets} sockets")
        return True

    def take_unknown_slot(self, address: str | None) -> Stranger | None:
        """A place for a socket that has still to say who it is, to be given back by `leave`; None: there is none."""
        network = "" if is_shared(address) else network_of(address)
        slot = Stranger(network)
        if self._unknown >= self._tunables.max_unauthenticated:
            self._refused("max_unauthenticated", "", address=address)
            return None
        if network and self._slots.get(slot, 0) >= self._tunables.max_unauthenticated_per_address:
            self._refused("max_unauthenticated_per_address", network, address=address)
            return None
        self._unknown += 1
        self._slots[slot] = self._slots.get(slot, 0) + 1
        return slot

    def take_user_slot(self, user_id: str, address: str | None, connection: str) -> str | None:
        """A place for one of the user's sockets, in the same way."""
        count = self._slots.get(user_id, 0) + 1
        if count + self.sockets_elsewhere.get(user_id, 0) > self._tunables.max_sockets_per_user:
            self._refused("max_sockets_per_user", user_id, address=address, user=user_id, connection=connection)
            return None
        self._slots[user_id] = count
        if count >= self._least_told:
            self._many[user_id] = count
        return user_id

    def leave(self, slot: Slot | None) -> None:
        if slot is None:
            return
        count = self._slots.pop(slot) - 1
        if count:
            self._slots[slot] = count
        if isinstance(slot, Stranger):
            self._unknown -= 1
        elif slot in self._many:
            if count >= self._least_told:
                self._many[slot] = count
            else:
                del self._many[slot]

    def check_groups(self, groups: Collection[str]) -> None:
        """Raises Refused when these are too many for one socket."""
        if len(groups) > self._tunables.max_groups_per_socket:
            COUNTERS.limited["max_groups_per_socket"] += 1
            raise Refused(ErrorCode.FORBIDDEN, "this socket is in too many groups: leave one first")

    def many_sockets(self) -> dict[str, int]:
        """Users with many sockets here, to be told to the others."""
        return _greatest(self._many)

    def _refused(self, limit: str, who: str, *, detail: str = "", **of: Any) -> None:
        COUNTERS.limited[limit] += 1
        self.log(Kind.TOO_MANY_SOCKETS, f"{limit} {who}", detail=detail or limit, **of)

    def log(
        self,
        kind: Kind,
        who: str,
        *,
        address: str | None = None,
        user: str | None = None,
        connection: str | None = None,
        detail: str = "",
    ) -> None:
        """Log the event once for as long as `who` goes on with it."""
        if not self._untold.take((kind, who)):
            log_event(kind, address=address, user=user, connection=connection, detail=detail)


def _greatest(counts: dict[str, int]) -> dict[str, int]:
    return counts if len(counts) <= MAX_TOLD else dict(heapq.nlargest(MAX_TOLD, counts.items(), key=itemgetter(1)))


@functools.cache
def quotas() -> Quotas:
    """This process's."""
    return Quotas(conf.settings())
