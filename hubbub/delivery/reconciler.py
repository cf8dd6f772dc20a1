"""Reconciliation: finds the messages that the channel layer lost, by comparing ordered groups with their record."""

import asyncio
from collections.abc import Callable, Mapping

from hubbub import conf
from hubbub.delivery.feed import Feed
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.sequence import Sequence
from hubbub.delivery.subscriber import Subscription
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.periodic import Periodic
from hubbub.protocol import Refused

# A round that begins so many times its interval after the last one: the process was paused.
PAUSED_ROUNDS = 3
# Between two comparisons of what changes by hints alone, while those are lost.
HINTLESS_SECONDS = 5.0


class Reconciler:
    """Compares the groups of one event loop every few seconds.

    Args:
        subscriptions: by name of the group; the hub changes them.
        on_access_version: called with the name and the access version of each group, as just read from the record.
        may_miss: whether messages may be lost now.
    """

    def __init__(
        self,
        subscriptions: Mapping[str, Subscription],
        on_access_version: Callable[[str, int], None],
        may_miss: Callable[[], bool],
    ) -> None:
        self._subscriptions = subscriptions
        self._on_access_version = on_access_version
        self._may_miss = may_miss
        self._missed = False  # Since what changes by hints alone was compared.
        self._hintless_at = 0.0
        self._rounds = Periodic(
            self._compare,
            seconds=lambda: conf.settings().reconcile_seconds,
            log=LogOnce("hub: reading positions failed"),
            quiet=(Refused,),  # The threads have logged it.
        )
        # Messages may have been lost, or the last round failed: what did not change must be read as well.
        self._is_all_due = True
        self._read_at = 0.0

    async def run(self) -> None:
        """Run until cancelled."""
        await self._rounds.run()

    def wake(self) -> None:
        """Compare now: members did not wait for a subscription."""
        self._rounds.wake()

    def compare_all(self) -> None:
        """Compare now, and all groups: messages may have been lost."""
        self._is_all_due = True
        self._rounds.wake()

    async def _compare(self) -> None:
        """Compare the groups with their record."""
        by_recovery: dict[Recovery, dict[str, tuple[Sequence | Feed, StreamPosition]]] = {}
        for name, subscription in self._subscriptions.items():
            tracked = subscription.group.tracked
            if tracked is not None and (local := tracked.local) is not None:
                by_recovery.setdefault(tracked.recovery, {})[name] = (tracked, local)
        is_all = self._is_all_due or self._was_paused()
        self._is_all_due = True  # Unless this round succeeds.
        for recovery, groups in by_recovery.items():
            COUNTERS.comparisons += 1
            await self._compare_with(recovery, groups, is_all)
        self._is_all_due = False
        self._compare_hintless()

    def _compare_hintless(self) -> None:
        """Compare what changes by hints alone: now and then while messages are lost, and once after that."""
        now, may_miss = asyncio.get_running_loop().time(), self._may_miss()
        if (may_miss and now - self._hintless_at < HINTLESS_SECONDS) or not (may_miss or self._missed):
            return
        self._missed, self._hintless_at = may_miss, now
        for subscription in self._subscriptions.values():
            feed = subscription.group.feed
            if feed is not None and feed.needs_hints and (local := feed.local) is not None:
                feed.compare(local, None)

    async def _compare_with(
        self, recovery: Recovery, groups: dict[str, tuple[Sequence | Feed, StreamPosition]], is_all: bool
    ) -> None:
        names = [*groups]
        recorded: dict[str, StreamPosition | None] = {}
        if is_all or recovery.read_changed_positions is None:
            recorded |= await recovery.read_positions(names)
        else:
            recorded = await recovery.read_changed_positions(names)
            groups = {name: groups[name] for name in recorded if name in groups}
        for name, (tracked, local) in groups.items():
            position = recorded.get(name)
            if position is not None:
                self._on_access_version(name, position.access)
            tracked.compare(local, position)

    def _was_paused(self) -> bool:
        """Whether this process stood still since the last round, so that messages may have been lost."""
        now, before = asyncio.get_running_loop().time(), self._read_at
        self._read_at = now
        return now - before > PAUSED_ROUNDS * conf.settings().reconcile_seconds
