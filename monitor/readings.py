"""Readings of this host (psutil) and of this server process (its counters). Nothing here blocks."""

import os
import random
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import psutil

from hubbub.process import COUNTERS, PROCESS
from monitor.protocol import Host, Network, Process, Usage

LOOPBACK = "lo"

# The spread of one step of demo readings, and the strength of the pull to their middle.
DEMO_STEP_PERCENT = 9.0
DEMO_PULL = 0.06


class CpuReader:
    """CPU use since the last call, in percent: (total, each core)."""

    # The system counts in hundredths of a second.
    least_seconds = 0.4

    def __init__(self) -> None:
        psutil.cpu_percent(percpu=True)

    def __call__(self) -> tuple[float, tuple[float, ...]]:
        cores = tuple(psutil.cpu_percent(percpu=True))
        return round(sum(cores) / len(cores), 1), cores


class DemoCpuReader:
    """Random readings that move like those of a real machine: each core drifts around its middle."""

    least_seconds = 0.0

    def __init__(self, cores: int, rng: random.Random | None = None) -> None:
        self._rng = rng or random.Random()  # noqa: S311 - not a secret
        self._middles = [self._rng.uniform(15, 60) for _ in range(cores)]
        self._cores = list(self._middles)

    def __call__(self) -> tuple[float, tuple[float, ...]]:
        for index, middle in enumerate(self._middles):
            value = self._cores[index]
            value += self._rng.gauss(0, DEMO_STEP_PERCENT) + (middle - value) * DEMO_PULL
            self._cores[index] = min(100.0, max(0.0, value))
        cores = tuple(round(value, 1) for value in self._cores)
        return round(sum(cores) / len(cores), 1), cores


CPU_SOURCES: dict[str, Callable[[], CpuReader | DemoCpuReader]] = {
    "psutil": CpuReader,
    "demo": lambda: DemoCpuReader(os.cpu_count() or 1),
}


class HostReader:
    """Reads this host. Rates are since the last read; the first since the construction: see `is_ready`."""

    def __init__(self, source: str, name: str = "") -> None:
        """A `name` other than this host's makes another host on the dashboard."""
        self._host = PROCESS.host.renamed(name) if name else PROCESS.host
        self._cpu = CPU_SOURCES[source]()
        self._network = _network_bytes()
        self._read_at = time.monotonic()
        self._ready_at = self._read_at + self._cpu.least_seconds

    def is_ready(self) -> bool:
        """Whether the first reading spans enough time: before that CPU use reads as 0 %."""
        return time.monotonic() >= self._ready_at

    def read(self) -> Host:
        total, cores = self._cpu()
        now, network = time.monotonic(), _network_bytes()
        seconds = max(now - self._read_at, 0.001)
        # The counts of a removed interface are gone: the difference may be negative.
        received, sent = (
            max(0, round((after - before) / seconds)) for after, before in zip(network, self._network, strict=True)
        )
        self._network, self._read_at = network, now
        memory, disk = psutil.virtual_memory(), psutil.disk_usage("/")
        load_1, load_5, load_15 = os.getloadavg()
        return Host(
            id=self._host.id,
            name=self._host.name,
            cpu_percent=total,
            cores_percent=cores,
            memory_bytes=Usage(memory.total - memory.available, memory.total),
            swap_bytes=_swap(),
            disk_bytes=Usage(disk.used, disk.total),
            network_bytes_per_second=Network(received, sent),
            load=(round(load_1, 2), round(load_5, 2), round(load_15, 2)),
            uptime_seconds=round(_seconds_since_boot()),
        )


@dataclass(frozen=True, slots=True)
class _Counts:
    at: float
    frames_in: int
    deliveries: int


class ProcessReader:
    """Reads this server process. Rates are since the last read."""

    def __init__(self) -> None:
        self._process = psutil.Process()
        self._before = _counts()

    def read(self) -> Process:
        before, now = self._before, _counts()
        self._before = now
        seconds = max(now.at - before.at, 0.001)
        lags = sorted(COUNTERS.lags_ms) or [0.0]
        return Process(
            id=PROCESS.id,
            host_name=PROCESS.host.name,
            sockets=COUNTERS.sockets,
            frames_in_per_second=round((now.frames_in - before.frames_in) / seconds, 1),
            deliveries_per_second=round((now.deliveries - before.deliveries) / seconds, 1),
            lag_p99_ms=round(percentile(lags, 99), 1),
            lag_max_ms=round(lags[-1], 1),
            memory_bytes=self._process.memory_info().rss,
        )


def percentile(rising: list[float], percent: int) -> float:
    """The nearest-rank percentile of sorted values."""
    return rising[max(0, -(-len(rising) * percent // 100) - 1)]


def _counts() -> _Counts:
    return _Counts(time.monotonic(), COUNTERS.frames_in, COUNTERS.deliveries)


def _seconds_since_boot() -> float:
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.time() - psutil.boot_time()  # Not on Linux: wrong while the wall clock is wrong.


def _network_bytes() -> tuple[int, int]:
    counters = [counter for name, counter in psutil.net_io_counters(pernic=True).items() if name != LOOPBACK]
    return sum(counter.bytes_recv for counter in counters), sum(counter.bytes_sent for counter in counters)


def _swap() -> Usage:
    with warnings.catch_warnings():
        # Containers hide the swap-in and swap-out counters, which are not used here.
        warnings.simplefilter("ignore", RuntimeWarning)
        swap = psutil.swap_memory()
    return Usage(swap.used, swap.total)
