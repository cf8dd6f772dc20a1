"""Counters of this process, and its event loop's lag. A leaf: written by the engine, read by the monitor."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, fields

import msgspec

LAG_PROBE_SECONDS = 0.1
LAG_PROBES_KEPT = 100


@dataclass(slots=True)
class Counters:
    """Counts since the process began; `sockets` is how many are open now."""

    sockets: int = 0
    frames_in: int = 0
    deliveries: int = 0
    published: int = 0
    publish_failures: int = 0
    repairs: int = 0
    comparisons: int = 0
    # Jobs that found no database, or were not done in time.
    database_failures: int = 0
    layer_losses: int = 0
    layer_overflows: int = 0
    foreign_frames: int = 0
    # What came over Redis and was no message of ours.
    dropped_messages: int = 0
    bad_frames: int = 0
    slow_readers: int = 0
    presence_changes: int = 0
    presence_losses: int = 0
    # Of this process's place under `manage.py up`: starts after an end that was not asked for; those after a silence.
    restarts: int = 0
    silent_restarts: int = 0
    # By the limit's name in docs/settings.md: what was refused, or closed, because of it.
    limited: Counter[str] = field(default_factory=Counter)
    # By kind: see `security.Kind`.
    security_events: Counter[str] = field(default_factory=Counter)
    lags_ms: list[float] = field(default_factory=list)

    @property
    def loop_lag_ms(self) -> float:
        """The event loop's greatest lag within the last ten seconds, in milliseconds."""
        return max(self.lags_ms, default=0.0)


COUNTERS = Counters()


class Report(msgspec.Struct, kw_only=True):
    """What `/counters` answers; docs/counters.md lists it. `counters`: by name; those by kind or limit are maps."""

    process: str
    loop_lag_ms: float
    counters: dict[str, int | dict[str, int]]


def report(process: str) -> Report:
    """All counters of this process, whose name is `process`."""
    counters: dict[str, int | dict[str, int]] = {}
    for one in fields(COUNTERS):
        value = getattr(COUNTERS, one.name)
        if isinstance(value, Counter):
            counters[one.name] = {str(name): count for name, count in [*value.items()]}
        elif isinstance(value, int):
            counters[one.name] = value
    return Report(process=process, loop_lag_ms=round(COUNTERS.loop_lag_ms, 1), counters=counters)


async def measure_loop_lag() -> None:
    """How much later than asked the event loop wakes us, measured for ever."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(LAG_PROBE_SECONDS)
        late_ms = (time.perf_counter() - before - LAG_PROBE_SECONDS) * 1000
        COUNTERS.lags_ms.append(max(0.0, late_ms))
        del COUNTERS.lags_ms[:-LAG_PROBES_KEPT]
