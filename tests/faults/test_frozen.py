"""A live process that answers nothing is replaced; a busy one, or one of a stopped supervisor, is not."""

import asyncio
import os
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from tests.support.cluster import Cluster, until
from tests.support.conversation import talking
from tests.support.stats import note

pytestmark = pytest.mark.cluster

SILENT_SECONDS = 3.0
START_SECONDS = 10.0  # From the end of the silence until the new process serves: two or three, on a machine at rest.
BUSY_REQUESTS = 120
BUSY_SECONDS = 8.0  # Of `tests.support.busy_urls`, which only a Django that has been set up can import.


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Three processes, of which tests freeze some: they are replaced."""
    folder = tmp_path_factory.mktemp("three")
    with Cluster(folder, processes=3, HUBBUB_UNRESPONSIVE_SECONDS=str(SILENT_SECONDS)) as cluster:
        yield cluster


async def test_a_frozen_process_is_replaced_and_no_new_connection_waits_longer(three: Cluster) -> None:
    await see_replaced(three, SILENT_SECONDS)


@pytest.mark.soak
async def test_a_process_that_is_frozen_for_35_seconds_is_replaced(tmp_path: Path) -> None:
    with Cluster(tmp_path, processes=2) as cluster:
        await see_replaced(cluster, 15.0, frozen_seconds=35.0)


async def see_replaced(cluster: Cluster, silent_seconds: float, frozen_seconds: float = 0.0) -> None:
    limit = silent_seconds + START_SECONDS
    before = {name: await counts_of(cluster, name) for name in ("web-1", "web-2")}
    earlier = len(silences(cluster))
    async with talking(cluster) as talk:
        await talk.say(20)
        victim, other = cluster.pid_of("web-2"), cluster.pid_of("web-1")
        with frozen(victim):
            began = time.monotonic()
            async with newcomers(cluster) as waits:
                await until(lambda: cluster.pid_of("web-2") not in (None, victim), limit)
                note("replaced after", time.monotonic() - began)
                await until(lambda: "web-2" in cluster.sockets, limit)
                await asyncio.sleep(max(0.0, began + frozen_seconds - time.monotonic()))
            assert len(waits) > 20
            note("a new connection waits", max(waits))
            assert max(waits) < limit
            # Nobody is left on it, and it holds nothing.
            assert victim not in cluster.pids()
        assert time.monotonic() - began >= silent_seconds
        await talk.say(40)
        report = await talk.whole(limit + 20)
    assert len(report.recoveries) == len(talk.readers)
    assert cluster.pid_of("web-1") == other
    assert len(silences(cluster)) == earlier + 1
    # The counters of the process that serves now.
    assert await counts_of(cluster, "web-2") == (before["web-2"][0] + 1, before["web-2"][1] + 1)
    assert await counts_of(cluster, "web-1") == before["web-1"]


def silences(cluster: Cluster) -> list[str]:
    """The silent processes, by the lines of the output."""
    return [line.split()[0] for line in cluster.output if "unresponsive: killed" in line]


async def test_a_lone_frozen_process_is_replaced_and_waiting_requests_are_served(tmp_path: Path) -> None:
    with Cluster(tmp_path, processes=1, HUBBUB_UNRESPONSIVE_SECONDS="2") as cluster:
        victim = cluster.pid_of("web-1")
        with frozen(victim):
            async with asyncio.timeout(2 + START_SECONDS):
                answers = await asyncio.gather(*(ask(cluster) for _ in range(20)))
        assert all(answer.endswith(b"ok") for answer in answers)
        assert cluster.pid_of("web-1") != victim


async def test_two_frozen_processes_are_replaced_one_after_the_other(three: Cluster) -> None:
    before = {name: three.pid_of(name) for name in ("web-1", "web-2", "web-3")}
    earlier = len(silences(three))
    with frozen(before["web-1"]), frozen(before["web-2"]):
        first, *_ = await until(lambda: silences(three)[earlier:])
        second = "web-2" if first == "web-1" else "web-1"
        assert before[second] in three.pids()
        await until(lambda: silences(three)[earlier:] == [first, second])
        assert three.pid_of(first) not in (None, before[first])
        async with asyncio.timeout(START_SECONDS):
            reader, writer = await asyncio.open_unix_connection(three.sockets[first])
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert (await reader.read()).endswith(b"ok")
            writer.close()
        await until(lambda: three.pid_of(second) not in (None, before[second]))
        await until(lambda: second in three.sockets)
    assert three.pid_of("web-3") == before["web-3"]
    async with asyncio.timeout(START_SECONDS):
        await asyncio.gather(*(ask(three) for _ in range(30)))


async def test_ten_seconds_of_a_stopped_supervisor_replace_no_process(three: Cluster) -> None:
    before = {name: three.pid_of(name) for name in ("web-1", "web-2", "web-3", "publisher")}
    earlier = silences(three)
    with frozen(three.up.pid):
        await asyncio.sleep(10)
    # A machine that was suspended: nobody could have answered.
    with frozen(three.up.pid), frozen(before["web-1"]), frozen(before["web-2"]), frozen(before["web-3"]):
        await asyncio.sleep(5)
    await asyncio.sleep(4)
    assert {name: three.pid_of(name) for name in before} == before
    assert silences(three) == earlier


async def test_a_process_at_its_bound_of_requests_is_not_replaced(tmp_path: Path) -> None:
    settings = {"HUBBUB_UNRESPONSIVE_SECONDS": "2", "DJANGO_SETTINGS_MODULE": "tests.support.busy_site"}
    with Cluster(tmp_path, processes=1, **settings) as cluster:
        victim = cluster.pid_of("web-1")
        began = time.monotonic()
        async with asyncio.timeout(BUSY_SECONDS + 30):
            await asyncio.gather(*(ask(cluster, "/busy/") for _ in range(BUSY_REQUESTS)))
        assert time.monotonic() - began > BUSY_SECONDS
        assert cluster.pid_of("web-1") == victim
        assert "unresponsive: killed" not in cluster.text


@contextmanager
def frozen(pid: int | None) -> Iterator[None]:
    assert pid
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        try:
            os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            pass


async def ask(cluster: Cluster, page: str = "/healthz") -> bytes:
    """The whole answer, by a connection of its own to the common port."""
    host, port = re.fullmatch(r"http://(.+):(\d+)", cluster.url).groups()  # type: ignore[union-attr]
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()


@asynccontextmanager
async def newcomers(cluster: Cluster) -> AsyncIterator[list[float]]:
    """Ten new connections a second meanwhile; how long each waits for its answer. All are waited for."""
    waits: list[float] = []

    async def come() -> None:
        began = time.monotonic()
        assert (await ask(cluster)).endswith(b"ok")
        waits.append(time.monotonic() - began)

    async def keep_coming() -> None:
        while True:
            coming.append(asyncio.create_task(come()))
            await asyncio.sleep(0.1)

    coming: list[asyncio.Task[None]] = []
    task = asyncio.create_task(keep_coming())
    try:
        yield waits
    finally:
        task.cancel()
        await asyncio.gather(*coming)


async def counts_of(cluster: Cluster, name: str) -> tuple[int, int]:
    """The counters of restarts: all, and those after a silence."""
    counters = await cluster.counters(name)
    return counters["restarts"], counters["silent_restarts"]
