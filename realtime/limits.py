"""How much a user may do, over all processes: decided here at once, from buckets of this process.

What others have used comes once a second, by `realtime.limits_exchange`. Without Redis this process decides alone.
"""

import functools
import heapq
import math
import time
from collections.abc import Callable, Mapping
from operator import itemgetter

from realtime import conf
from realtime.metrics import COUNTERS
from realtime.protocol import ErrorCode, Refused
from realtime.security import Kind, log_event
from realtime.throttle import Buckets

REFUSED_SECONDS = 10.0  # Within which `refused_commands` may be refused.
QUIET_SECONDS = 60.0  # Who goes on and on is logged once in so long.

# What one process tells of in a round: some tens of kilobytes. Of more users, those who used most.
MOST_TOLD = 2_000


class Allowance:
    """What each user may do so often: a bucket each, and what was taken since the others were told."""

    __slots__ = ("_buckets", "_used")

    def __init__(self, *, per_second: float, burst: float, clock: Callable[[], float]) -> None:
        self._buckets = Buckets(per_second=per_second, burst=burst, clock=clock)
        self._used: dict[int, int] = {}

    def take(self, user_id: int) -> float:
        """0.0, or the seconds until the user may."""
        wait = self._buckets.take(user_id)
        if not wait:
            self._used[user_id] = self._used.get(user_id, 0) + 1
        return wait

    def tell(self) -> dict[int, int]:
        """What users took since the last call."""
        used, self._used = self._used, {}
        return used if len(used) <= MOST_TOLD else dict(heapq.nlargest(MOST_TOLD, used.items(), key=itemgetter(1)))

    def hear(self, used: Mapping[int, int]) -> None:
        """What users took in another process is taken here as well."""
        for user_id, count in used.items():
            self._buckets.charge(user_id, count)


class Ledger:
    """All of one process; see docs/settings.md for what each limit is."""

    def __init__(self, tunables: conf.Realtime, clock: Callable[[], float] = time.monotonic) -> None:
        self.posts = Allowance(per_second=tunables.posts_per_second, burst=tunables.posts_burst, clock=clock)
        self.commands = Allowance(per_second=tunables.commands_per_second, burst=tunables.commands_burst, clock=clock)
        most = tunables.refused_commands
        self._patience = Buckets(per_second=most / REFUSED_SECONDS, burst=most, clock=clock)
        self._untold = Buckets(per_second=1 / QUIET_SECONDS, burst=1, clock=clock)

    def refuse(self, user_id: int, *, is_post: bool) -> Refused | None:
        """Count a command of the user's; what to answer instead of doing it, if there were too many."""
        limit, wait = "commands", self.commands.take(user_id)
        if is_post and not wait:
            limit, wait = "posts", self.posts.take(user_id)
        if not wait:
            return None
        COUNTERS.limited[limit] += 1
        return Refused(ErrorCode.RATE_LIMITED, f"too many {limit}", retry_after_ms=math.ceil(wait * 1000))

    def gives_up(self, user_id: int, address: str | None, connection: str) -> bool:
        """Count that a command was refused; whether the socket is to be closed, since the user does not stop."""
        is_over = self._patience.take(user_id) > 0
        kind = Kind.FLOOD_CLOSED if is_over else Kind.RATE_LIMITED
        if is_over:
            COUNTERS.limited["refused_commands"] += 1
        self.log(kind, user_id, address=address, user=user_id, connection=connection)
        return is_over

    def log(
        self,
        kind: Kind,
        who: int | str,
        *,
        address: str | None = None,
        user: int | None = None,
        connection: str | None = None,
        detail: str = "",
    ) -> None:
        """Log the event once for as long as `who` goes on with it."""
        if not self._untold.take((kind, who)):
            log_event(kind, address=address, user=user, connection=connection, detail=detail)


@functools.cache
def ledger() -> Ledger:
    """This process's."""
    return Ledger(conf.settings())
