"""Pure: readings and their age become one sample; old ones are marked stale, replaced and forgotten ones left out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.protocol import Host, MetricsSampled, Process, Reading

# A host or process that is gone is shown as stale for this long: enough to be noticed.
FORGET_SECONDS = 60.0


def make_sample(
    readings: Iterable[tuple[Reading, float]], *, epoch: int, seq: int, at: float, stale_seconds: float
) -> MetricsSampled:
    """The sample of `readings`, which are (reading, age in seconds), at the UNIX time `at`."""
    hosts: list[Host] = []
    processes: list[Process] = []
    for reading, age in readings:
        if age > stale_seconds + FORGET_SECONDS:
            continue
        if age > stale_seconds:
            reading = msgspec.structs.replace(reading, stale_since=_utc(at) - timedelta(seconds=round(age)))
        match reading:
            case Host():
                hosts.append(reading)
            case Process():
                processes.append(reading)
    living = {_slot(one) for one in processes if one.stale_since is None}
    return MetricsSampled(
        epoch=epoch,
        seq=seq,
        at=_utc(at),
        hosts=tuple(sorted(hosts, key=lambda host: (host.name, host.id))),
        processes=tuple(
            sorted(
                (one for one in processes if one.stale_since is None or _slot(one) not in living),
                key=lambda process: (process.host_name, process.id),
            )
        ),
    )


def _slot(process: Process) -> str:
    """`host:name`: a process that took the place of a dead one has the same."""
    return process.id.rpartition(":")[0]


def _utc(at: float) -> datetime:
    # Whole milliseconds: that is what JavaScript's dates hold.
    return datetime.fromtimestamp(round(at * 1000) / 1000, UTC)
