"""Ten minutes of two hosts that do not exist, always the same: the samples of the dashboard's pictures."""

import math
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from monitor.protocol import Host, MetricsSampled, Network, Process, Usage

NOW = datetime(2026, 11, 17, 10, 42, 8, tzinfo=UTC)
EPOCH = int(NOW.timestamp())
INTERVAL_MS = 2000
SAMPLES = 300
GIB = 1 << 30


def samples() -> Iterator[MetricsSampled]:
    """The last ten minutes, oldest first; the last one is made at NOW."""
    chance = random.Random(14)  # noqa: S311 - wanted: the same every time
    atlas, borealis = _Machine("atlas", 8, 31, chance), _Machine("borealis", 16, 58, chance)
    for seq in range(1, SAMPLES + 1):
        hosts = tuple(machine.host(seq) for machine in (atlas, borealis))
        processes = tuple(process for machine in (atlas, borealis) for process in machine.processes())
        at = NOW - timedelta(milliseconds=INTERVAL_MS * (SAMPLES - seq))
        yield MetricsSampled(epoch=EPOCH, seq=seq, at=at, hosts=hosts, processes=processes)


class _Machine:
    """Readings that wander about a middle, with a busy stretch in the second half."""

    def __init__(self, name: str, cores: int, memory_percent: float, chance: random.Random) -> None:
        self._name = name
        self._chance = chance
        self._cores = [chance.uniform(8, 34) for _ in range(cores)]
        self._middles = list(self._cores)
        self._memory_percent = memory_percent
        self._received = self._sent = 0.0

    def host(self, seq: int) -> Host:
        chance = self._chance
        busy = 38 * math.exp(-(((seq - 0.68 * SAMPLES) / 28) ** 2)) if self._name == "atlas" else 0
        for index, middle in enumerate(self._middles):
            step = chance.gauss(0, 4) + (middle + busy - self._cores[index]) * 0.25
            self._cores[index] = min(100.0, max(0.5, self._cores[index] + step))
        cores = tuple(round(percent, 1) for percent in self._cores)
        cpu = round(sum(cores) / len(cores), 1)
        self._memory_percent += chance.gauss(0, 0.06)
        self._received = max(4e4, self._received * 0.8 + chance.expovariate(1 / 3e5) + busy * 4e3)
        self._sent = max(3e4, self._sent * 0.8 + chance.expovariate(1 / 1.4e5))
        total = len(cores) * 4 * GIB
        load = round(cpu / 100 * len(cores), 2)
        return Host(
            id=self._name,
            name=self._name,
            cpu_percent=cpu,
            cores_percent=cores,
            memory_bytes=Usage(round(total * self._memory_percent / 100), total),
            swap_bytes=Usage(GIB // 8, 4 * GIB),
            disk_bytes=Usage(round(171.4 * GIB), 480 * GIB),
            network_bytes_per_second=Network(round(self._received), round(self._sent)),
            load=(load, round(load * 0.93, 2), round(load * 0.88, 2)),
            uptime_seconds=37 * 86400 + 5 * 3600 + seq * 2,
        )

    def processes(self) -> Iterator[Process]:
        chance = self._chance
        for number in (1, 2, 3):
            yield Process(
                id=f"{self._name}:web-{number}:{4100 + 7 * number}",
                host_name=self._name,
                sockets=212 + 17 * number - chance.randint(0, 4),
                frames_in_per_second=round(chance.uniform(11, 19), 1),
                deliveries_per_second=round(chance.uniform(480, 700), 1),
                lag_p99_ms=round(chance.uniform(0.6, 1.9), 1),
                lag_max_ms=round(chance.uniform(2.0, 6.5), 1),
                memory_bytes=round((96 + 3 * number) * (1 << 20) + chance.uniform(0, 3e5)),
            )
