"""Reconciliation: finds the messages that the channel layer lost, by comparing ordered groups with their record."""

from collections.abc import Callable, Mapping

from hubbub import conf
from hubbub.delivery.recovery import Recovery, StreamPosition
from hubbub.delivery.sequence import Sequence
from hubbub.delivery.subscriber import Subscription
from hubbub.process.log_once import LogOnce
from hubbub.process.metrics import COUNTERS
from hubbub.process.periodic import Periodic
from hubbub.protocol import Refused


class Reconciler:
    """Compares the groups of one event loop every few seconds.

    Args:
        subscriptions: by name of the group; the hub changes them.
        on_access_version: called with the name and the access version of each group, as just read from the record.
    """

    def __init__(
        self, subscriptions: Mapping[str, Subscription], on_access_version: Callable[[str, int], None]
    ) -> None:
        self._subscriptions = subscriptions
        self._on_access_version = on_access_version
        self._rounds = Periodic(
            self._compare_all,
            seconds=lambda: conf.settings().reconcile_seconds,
            log=LogOnce("hub: reading positions failed"),
            quiet=(Refused,),  # The threads have logged it.
        )

    async def run(self) -> None:
        """Run until cancelled."""
        await self._rounds.run()

    def wake(self) -> None:
        """Compare now: messages may have been lost."""
        self._rounds.wake()

    async def _compare_all(self) -> None:
        """Compare all ordered groups with their record."""
        by_recovery: dict[Recovery, dict[str, tuple[Sequence, StreamPosition]]] = {}
        for name, subscription in self._subscriptions.items():
            sequence = subscription.group.sequence
            if sequence is not None and (local := sequence.local) is not None:
                by_recovery.setdefault(sequence.recovery, {})[name] = (sequence, local)
        for recovery, sequences in by_recovery.items():
            COUNTERS.comparisons += 1
            recorded = await recovery.read_positions([*sequences])
            for name, (sequence, local) in sequences.items():
                if name in recorded:
                    self._on_access_version(name, recorded[name].access)
                sequence.compare(local, recorded.get(name))
