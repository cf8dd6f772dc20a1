"""Fixtures of the engine's unit tests: hub, runtime, services, a private Redis, sides of presence, scripts."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import SyncToAsync
from channels.layers import get_channel_layer
from django.db import connections
from redis import Redis

from hubbub import testing, threads
from hubbub.delivery.hub import Hub
from hubbub.process.ports import lock_folder
from hubbub.runtime import Runtime
from hubbub.runtime import runtime as loop_runtime
from hubbub.supervisor import programs
from hubbub.supervisor.child import Console
from hubbub.supervisor.private_redis import running
from tests.support.declarations import declared  # noqa: F401
from tests.support.hubs import GROUP, Truth
from tests.support.personas import alice, bob, charlie, root  # noqa: F401
from tests.support.scripts import Script
from tests.support.sides import GRACE, LEASE, Side


@pytest.fixture
async def ended_threads() -> AsyncIterator[None]:
    """Ends hub, threads and connections after the test: PostgreSQL drops no database that is in use."""
    yield
    await loop_runtime().hub.close()
    await get_channel_layer().flush()
    threads.close()
    SyncToAsync.single_thread_executor.submit(connections.close_all).result()


@pytest.fixture
def truth() -> Truth:
    return Truth()


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    new = Runtime()
    yield new
    await new.hub.close()
    await get_channel_layer().flush()


@pytest.fixture
def hub(runtime: Runtime) -> Hub:
    return runtime.hub


@pytest.fixture
async def heard() -> AsyncIterator["asyncio.Queue[dict[str, Any]]"]:
    """The messages that arrive in the group."""
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(GROUP, channel)
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def listen() -> None:
        while True:
            await queue.put(await layer.receive(channel))

    listening = asyncio.create_task(listen())
    async with asyncio.timeout(5):
        while queue.empty():
            await layer.group_send(GROUP, {"type": "probe"})
            await asyncio.sleep(0.02)
    yield queue
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await layer.flush()


# Presence, on a Redis that the test may stop


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "redis.sock"


@pytest.fixture
def redis(path: Path) -> Iterator[Redis]:
    with running(path), Redis(unix_socket_path=str(path)) as client:
        yield client


@pytest.fixture
async def sides(path: Path, settings: Any) -> AsyncIterator[Any]:
    """Make sides, and end them after the test."""
    settings.HUBBUB = settings.HUBBUB | {"PRESENCE_GRACE_SECONDS": GRACE, "PRESENCE_LEASE_SECONDS": LEASE}
    made: list[Side] = []

    def make() -> Side:
        made.append(Side(f"unix://{path}"))
        return made[-1]

    yield make
    for side in made:
        await side.kill()


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(Console, "print", lambda self, text: lines.append(text))
    return lines


@pytest.fixture
def make_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.setattr(programs, "BACK_OFF_SECONDS", 0.01)
    monkeypatch.setattr(programs, "PROBE_SECONDS", 0.01)
    lock = lock_folder(tmp_path)

    def make(name: str, code: str) -> Script:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        return Script(name=name, console=Console(), environ=environ, folder=tmp_path, lock=lock, command=[code])

    yield make
    os.close(lock)


@pytest.fixture
async def served() -> AsyncIterator[None]:
    """What a process runs beside its sockets, in memory."""
    async with testing.served():
        yield
