"""Made-up readings, publishers with a set clock, and the monitor's keys of the real Redis, emptied."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from monitor.protocol import Host, Network, Process, Usage
from monitor.publisher import Publisher
from monitor.readings import HostReader
from monitor.store import PREFIX, Store, connect
from tests.support.pages import plain_static  # noqa: F401
from tests.support.personas import alice, mona  # noqa: F401


@pytest.fixture
async def store() -> AsyncIterator[Store]:
    async with connect() as redis:
        await forget_all(redis)
        yield Store(redis)


@pytest.fixture
def make_host() -> Callable[..., Host]:
    def make(name: str = "alpha", **changes: Any) -> Host:
        fields: dict[str, Any] = {
            "cpu_percent": 12.5,
            "cores_percent": (10.0, 15.0),
            "memory_bytes": Usage(3_000_000_000, 8_000_000_000),
            "swap_bytes": Usage(0, 0),
            "disk_bytes": Usage(10_000_000_000, 50_000_000_000),
            "network_bytes_per_second": Network(1200, 3400),
            "load": (0.1, 0.2, 0.3),
            "uptime_seconds": 86_400,
        }
        return Host(**{"id": name, "name": name, **fields, **changes})

    return make


@pytest.fixture
def make_process() -> Callable[..., Process]:
    def make(id: str = "alpha:web-1:100", **changes: Any) -> Process:
        fields: dict[str, Any] = {
            "sockets": 3,
            "frames_in_per_second": 1.5,
            "deliveries_per_second": 20.0,
            "lag_p99_ms": 0.4,
            "lag_max_ms": 1.1,
            "memory_bytes": 80_000_000,
        }
        return Process(**{"id": id, "host_name": id.split(":")[0], **fields, **changes})

    return make


async def forget_all(redis: Any) -> None:
    """Delete the monitor's keys. The development Redis does not allow FLUSHALL."""
    async for key in redis.scan_iter(f"hubbub:{PREFIX}:*"):
        await redis.delete(key)


@dataclass
class Clock:
    """`now`: the publishers' monotonic clock. `set_by`: offset of the clock of Redis, in seconds."""

    now: float = 1_900_000_000.0
    set_by: float = 0.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    new = Clock()

    async def time(store):
        return new.now + new.set_by

    monkeypatch.setattr(Store, "time", time)
    return new


@pytest.fixture
def published(monkeypatch):
    frames = []

    def publish(group, text, *, version):
        frame = msgspec.json.decode(text)
        assert (group, frame.pop("topic"), frame.pop("position")) == ("t:metrics", "metrics", version)
        frames.append((version, frame))

    monkeypatch.setattr("hubbub.publish.publish", publish)
    return frames


@pytest.fixture
def make_publisher(store, settings, clock):
    settings.MONITOR = {"LEASE_SECONDS": 60}  # The clock of Redis goes on, the test's does not.

    def make(name="alpha", ahead=0.0):
        return Publisher(store, HostReader("demo", name), interval=2.0, clock=lambda: clock.now + ahead)

    return make


@pytest.fixture
def short_lease(make_publisher, settings):
    settings.MONITOR = {"LEASE_SECONDS": 0.5}
