"""Metrics over real processes: the same bytes for all, one sample an interval, always a leader."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client
from tests.support.cluster import Cluster, until
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster

INTERVAL = 2.0
TAKEOVER_SECONDS = 9.0  # Six are promised; the rest is for a busy machine.


async def watcher(stack: AsyncExitStack, cluster: Cluster, cookie: str, process: str | None = None) -> Client:
    client = await stack.enter_async_context(cluster.client("/ws/monitor/", process=process, cookie=cookie))
    joined = await client.request("join", topic="metrics")
    assert joined["type"] == "ok", joined
    return client


async def samples_as_sent(client: Client, count: int) -> dict[tuple[int, int], str]:
    """The next samples as the text that came."""
    samples: dict[tuple[int, int], str] = {}
    async with asyncio.timeout(INTERVAL * count + 10):
        while len(samples) < count:
            text = await client.socket.recv()
            assert isinstance(text, str)
            frame = json.loads(text)
            if frame["type"] == "metrics.sampled":
                samples[frame["epoch"], frame["seq"]] = text
    return samples


def interval_of(sample: dict[str, Any]) -> int:
    return int(datetime.fromisoformat(sample["at"]).timestamp() // INTERVAL)


@contextmanager
def publisher(folder: Path, env: dict[str, str], *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """One more `publish_metrics`, logging to `folder`."""
    with (folder / "publisher.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "publish_metrics", "--source", "demo", *arguments],
            cwd=ROOT,
            env=env,
            stdout=log,
            stderr=log,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def mona(cluster: Cluster) -> str:
    """The session of a user with the permission for the dashboard."""
    return cluster.make_user("mona", "view_dashboard")["cookie"]


async def test_a_socket_on_each_process_gets_the_same_bytes(cluster: Cluster, mona: str) -> None:
    async with AsyncExitStack() as stack:
        clients = [await watcher(stack, cluster, mona, process) for process in ("web-1", "web-2", "web-1")]
        seen = await asyncio.gather(*(samples_as_sent(client, 6) for client in clients))
    common = set.intersection(*({*sample} for sample in seen))
    assert len(common) >= 3
    for key in common:
        assert len({sample[key] for sample in seen}) == 1


async def test_a_sample_has_this_host_and_every_process_as_they_report_themselves(cluster: Cluster, mona: str) -> None:
    async with AsyncExitStack() as stack:
        first = await watcher(stack, cluster, mona, "web-1")
        await watcher(stack, cluster, mona, "web-2")

        async def both_sockets_are_counted() -> dict[str, Any]:
            while True:
                sample = await first.event("metrics.sampled")
                counts = {process["id"].split(":")[1]: process["sockets"] for process in sample["processes"]}
                if counts.keys() == {"web-1", "web-2"} and min(counts.values()) >= 1:
                    return sample

        async with asyncio.timeout(20):
            sample = await both_sockets_are_counted()
    (host,) = sample["hosts"]
    assert "stale_since" not in host
    assert len(host["cores_percent"]) == os.cpu_count()
    assert all(process["memory_bytes"] > 10_000_000 for process in sample["processes"])


async def test_history_and_live_samples_join_without_a_hole_or_a_repetition(tmp_path: Path) -> None:
    with Cluster(tmp_path, HUBBUB_SAMPLE_SECONDS="0.5") as fast:
        cookie = fast.make_user("mona", "view_dashboard")["cookie"]
        for number in range(12):
            async with fast.client("/ws/monitor/", cookie=cookie, process=f"web-{1 + number % 2}") as client:
                history = (await client.request("join", topic="metrics"))["state"]
                assert (history["interval_ms"], history["every"]) == (500, 1)
                seqs = [sample["seq"] for sample in history["samples"]]
                seqs += [(await client.event("metrics.sampled"))["seq"] for _ in range(2)]
                assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))


async def test_of_two_publishers_one_sends_and_both_hosts_are_shown(
    cluster: Cluster, mona: str, tmp_path: Path
) -> None:
    async with AsyncExitStack() as stack:
        client = await watcher(stack, cluster, mona)
        with publisher(tmp_path, cluster.env, "--host", "second"):
            samples: list[dict[str, Any]] = []
            while len(samples) < 5:
                sample = await client.event("metrics.sampled")
                if samples or "second" in [host["name"] for host in sample["hosts"]]:
                    samples.append(sample)
    assert len({sample["epoch"] for sample in samples}) == 1
    intervals = [interval_of(sample) for sample in samples]
    assert intervals == list(range(intervals[0], intervals[0] + 5))
    assert [sample["seq"] for sample in samples] == list(range(samples[0]["seq"], samples[0]["seq"] + 5))


async def test_another_publisher_leads_soon_after_the_leader_is_killed(own_cluster: Cluster, tmp_path: Path) -> None:
    cookie = own_cluster.make_user("mona", "view_dashboard")["cookie"]
    async with AsyncExitStack() as stack:
        clients = [await watcher(stack, own_cluster, cookie, process) for process in ("web-1", "web-2")]
        before = await clients[0].event("metrics.sampled")
        stack.enter_context(publisher(tmp_path, own_cluster.env, "--host", "second"))
        while "second" not in [host["name"] for host in before["hosts"]]:
            before = await clients[0].event("metrics.sampled")
        leader = own_cluster.pid_of("publisher")
        assert leader is not None
        os.kill(leader, signal.SIGKILL)
        killed_at = time.monotonic()
        after = before
        while after["epoch"] == before["epoch"]:
            previous, after = after, await clients[0].event("metrics.sampled")
            assert interval_of(after) > interval_of(previous)
        assert time.monotonic() - killed_at < TAKEOVER_SECONDS
        assert after["epoch"] > before["epoch"]
        assert after["seq"] == 1
        # `up` has started it again: now it is the second one.
        await until(lambda: own_cluster.pid_of("publisher") not in (None, leader))
        following = [await clients[0].event("metrics.sampled") for _ in range(3)]
        assert [sample["epoch"] for sample in following] == [after["epoch"]] * 3
        assert [sample["seq"] for sample in following] == [2, 3, 4]


async def test_a_socket_without_the_permission_gets_no_hello_and_no_sample(cluster: Cluster) -> None:
    charlie = cluster.make_user("charlie")
    async with cluster.client("/ws/monitor/", cookie=charlie["cookie"], wait_for_hello=False) as client:
        assert await client.closed() == (4005, "Forbidden")
        frame = await client.receive()
        assert (frame["type"], frame["code"]) == ("error", "forbidden")
        assert not client._events
    async with cluster.client("/ws/monitor/", wait_for_hello=False) as client:
        assert (await client.receive())["type"] == "auth.required"
        await client.send({"type": "auth", "token": charlie["token"]})
        assert await client.closed() == (4005, "Forbidden")
        assert (await client.receive())["code"] == "forbidden"


async def test_a_token_opens_the_dashboard_too(cluster: Cluster) -> None:
    token = cluster.make_user("mona", "view_dashboard")["token"]
    async with cluster.client("/ws/monitor/", token=token) as client:
        assert "samples" in (await client.request("join", topic="metrics"))["state"]
        assert (await client.request("ping"))["type"] == "pong"
        answer = await client.join("general")
        assert answer["code"] == "not_found"


async def test_a_publisher_without_redis_waits_says_so_once_and_ends_at_once(tmp_path: Path, cluster: Cluster) -> None:
    env = cluster.env | {"REDIS_URL": f"unix://{tmp_path}/none.sock"}
    with publisher(tmp_path, env) as process:
        log = tmp_path / "publisher.log"
        await until(lambda: "publisher: Redis unavailable" in log.read_text())
        process.terminate()
        began = time.monotonic()
        assert await asyncio.to_thread(process.wait, 10) == 0
        assert time.monotonic() - began < 2
        assert log.read_text().count("publisher: Redis unavailable") == 1
