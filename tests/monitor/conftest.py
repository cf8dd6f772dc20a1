"""Readings made up for tests, and the monitor's part of the real Redis, empty."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from monitor.protocol import Host, Network, Process, Usage
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
    """What FLUSHALL does to the monitor: the development Redis does not allow that command."""
    async for key in redis.scan_iter(f"hubbub:{PREFIX}:*"):
        await redis.delete(key)
