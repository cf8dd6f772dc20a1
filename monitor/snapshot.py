"""Makes one sample of readings and their ages: old readings are stale; replaced and forgotten ones are left out."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from monitor.protocol import Host, MetricsSampled, Process, Reading

# A host or process that stopped reporting is shown as stale for this long.
FORGET_SECONDS = 60.0


def make_sample(
    readings: Iterable[tuple[Reading, float]], *, epoch: int, seq: int, at: float, stale_seconds: float
) -> MetricsSampled:
    """Make the sample of the UNIX time `at`. `readings`: (reading, age in seconds)."""
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
    living = {_slot(process) for process in processes if process.stale_since is None}
    return MetricsSampled(
        epoch=epoch,
        seq=seq,
        at=_utc(at),
        hosts=tuple(sorted(hosts, key=lambda host: (host.name, host.id))),
        processes=tuple(
            sorted(
                (process for process in processes if process.stale_since is None or _slot(process) not in living),
                key=lambda process: (process.host_name, process.id),
            )
        ),
    )


def _slot(process: Process) -> str:
    """`host:name`, which a process shares with its predecessor."""
    return process.id.rpartition(":")[0]


def _utc(at: float) -> datetime:
    # Whole milliseconds, as in JavaScript dates.
    return datetime.fromtimestamp(round(at * 1000) / 1000, UTC)
