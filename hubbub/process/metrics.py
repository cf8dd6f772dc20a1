"""Counters of this process and the lag of its event loop. A leaf: the engine writes, the monitor reads."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, fields

import msgspec

LAG_PROBE_SECONDS = 0.1
LAG_PROBES_KEPT = 100


@dataclass(slots=True)
class Counters:
    """Counts since the process started; `sockets` and `streams` are the numbers open now."""

    sockets: int = 0
    # Of them: streams over HTTP.
    streams: int = 0
    frames_in: int = 0
    deliveries: int = 0
    published: int = 0
    publish_failures: int = 0
    repairs: int = 0
    comparisons: int = 0
    # Jobs without a database, or past their deadline.
    database_failures: int = 0
    layer_losses: int = 0
    layer_overflows: int = 0
    foreign_frames: int = 0
    # Undecodable messages from Redis.
    dropped_messages: int = 0
    bad_frames: int = 0
    slow_readers: int = 0
    presence_changes: int = 0
    presence_losses: int = 0
    # Under `manage.py up`: restarts after a crash; restarts after the process stopped answering.
    restarts: int = 0
    silent_restarts: int = 0
    # By the limit's name in docs/settings.md: refusals and closes.
    limited: Counter[str] = field(default_factory=Counter)
    # By `security_log.Kind`.
    security_events: Counter[str] = field(default_factory=Counter)
    lags_ms: list[float] = field(default_factory=list)

    @property
    def loop_lag_ms(self) -> float:
        """The highest lag of the event loop in the last ten seconds, in milliseconds."""
        return max(self.lags_ms, default=0.0)


COUNTERS = Counters()


class Report(msgspec.Struct, kw_only=True):
    """The answer of `/counters`, listed in docs/counters.md. `counters`: by name; counts by kind or limit are maps."""

    process: str
    loop_lag_ms: float
    counters: dict[str, int | dict[str, int]]


def report(process: str) -> Report:
    """All counters of this process, under the name `process`."""
    counters: dict[str, int | dict[str, int]] = {}
    for counter in fields(COUNTERS):
        value = getattr(COUNTERS, counter.name)
        if isinstance(value, Counter):
            counters[counter.name] = {str(name): count for name, count in [*value.items()]}
        elif isinstance(value, int):
            counters[counter.name] = value
    return Report(process=process, loop_lag_ms=round(COUNTERS.loop_lag_ms, 1), counters=counters)


async def measure_loop_lag() -> None:
    """Measure until cancelled how late the event loop wakes this task."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LAG_PROBE_SECONDS)
        late_ms = (time.perf_counter() - before - LAG_PROBE_SECONDS) * 1000
        COUNTERS.lags_ms.append(max(0.0, late_ms))
        del COUNTERS.lags_ms[:-LAG_PROBES_KEPT]
