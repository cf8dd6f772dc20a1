"""Readers on slow links: moving ones stay, stalled ones get 4101, and their buffers are bounded."""

import asyncio
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, closing
from uuid import uuid4

import psutil
import pytest

from bench.frames import client_frame
from tests.support.cluster import Cluster
from tests.support.slow_reader import SlowReader
from tests.support.stats import note
from tests.support.stuck_client import BIG_BODY, MIB, StuckReader, port_of, post_many, read_in_order

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

# So often that a pong cannot come in time from behind a page on its way.
PINGS = {"HUBBUB_PING_SECONDS": "2", "HUBBUB_PING_TIMEOUT_SECONDS": "1"}
BACKLOG = 4 * MIB
NOISE_BYTES = 8 * MIB
RATES = (10_000, 1_000, 100)  # Bytes a second.
UNREAD = 40  # Sockets that send and are not read.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    bound = {"HUBBUB_BACKLOG_BYTES": str(BACKLOG), "HUBBUB_MAX_SOCKETS_PER_USER": "500"}
    with Cluster(tmp_path_factory.mktemp("slow"), processes=1, **PINGS, **bound) as cluster:
        yield cluster


async def test_a_reader_of_5_kb_a_second_enters_the_room_with_the_largest_page_and_stays(
    site: Cluster, people: dict[str, dict[str, str]], room: str
) -> None:
    async with site.client(cookie=people["alice"]["cookie"]) as alice:
        await post_many(alice, room, 50, "words " * 666)
        async with SlowReader(port_of(site), people["bob"]["cookie"], 5_000) as bob:
            await bob.wait_for("hello", 10)
            began = time.monotonic()
            await bob.send(type="join", ref=1, topic=f"room/{room}")
            joined = await bob.wait_for("ok", 12, ref=1)
            note("joined after", time.monotonic() - began)
            assert joined["state"]["more"]
            # Older messages come as slowly, page by page.
            before = joined["state"]["messages"][0]["seq"]
            for ref in (2, 3):
                await bob.send(type="history", ref=ref, topic=f"room/{room}", before=before)
                page = (await bob.wait_for("ok", 12, ref=ref))["result"]
                assert page["messages"][-1]["seq"] == before - 1
                before = page["messages"][0]["seq"]
            posted = await alice.post(room, "still there?")
            await bob.wait_for("message.posted", 10, position=posted["position"])
            assert bob.code is None
            assert bob.pings  # They came behind the pages, and were answered late.


async def test_slow_readers_in_a_busy_room_stay_as_long_as_they_move(
    site: Cluster, people: dict[str, dict[str, str]], room: str
) -> None:
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(site.client(cookie=people["alice"]["cookie"]))
        readers = [
            await stack.enter_async_context(SlowReader(port_of(site), people["bob"]["cookie"], 10_000)) for _ in RATES
        ]
        for reader in readers:
            await reader.wait_for("hello", 10)
            await reader.send(type="join", ref=1, topic=f"room/{room}")
            await reader.wait_for("ok", 10, ref=1)
        for reader, rate in zip(readers, RATES, strict=True):
            reader.rate = rate
        began, longest = time.monotonic(), 0.0
        while time.monotonic() - began < 20:  # Ten times what a pong may take, with the silence before the ping.
            asked = time.monotonic()
            await alice.post(room, "x" * 500)
            longest = max(longest, time.monotonic() - asked)
            await asyncio.sleep(0.05)
        assert [reader.code for reader in readers] == [None] * len(RATES)
        assert longest < 1.5
        for reader in readers:
            positions = [frame["position"] for frame in reader.frames if frame["type"] == "message.posted"]
            assert positions == list(range(1, len(positions) + 1))


async def test_a_reader_that_reads_nothing_is_closed_with_4101_after_its_own_bound(
    site: Cluster, people: dict[str, dict[str, str]], room: str
) -> None:
    server = psutil.Process(site.pid_of("web-1"))
    with closing(StuckReader(port_of(site), people["bob"]["token"], room)) as stuck:
        async with site.client(cookie=people["alice"]["cookie"]) as alice:
            before, slow = server.memory_info().rss, (await site.counters("web-1"))["slow_readers"]
            await post_many(alice, room, 110, BIG_BODY)  # 1.6 MiB.
            async with asyncio.timeout(10):
                while await asyncio.to_thread(waiting_of, stuck):
                    await asyncio.sleep(0.2)
            assert server.memory_info().rss - before < NOISE_BYTES
            # Not for an answer to a ping that it never read.
            assert (await site.counters("web-1"))["slow_readers"] == slow + 1


def waiting_of(stuck: StuckReader) -> bool:
    """Whether its connection is open; a close by the process shows after two seconds."""
    local = stuck.socket.getsockname()[1]
    return any(
        connection.raddr and connection.raddr.port == local and connection.status == "ESTABLISHED"
        for connection in psutil.net_connections("tcp")
    )


async def test_all_outboxes_of_a_process_are_bounded_and_the_slowest_are_closed(
    site: Cluster, people: dict[str, dict[str, str]], room: str
) -> None:
    """Each of them may keep 1 MiB by itself."""
    server, port = psutil.Process(site.pid_of("web-1")), port_of(site)
    async with AsyncExitStack() as stack:
        alice = await stack.enter_async_context(site.client(cookie=people["alice"]["cookie"]))
        healthy = await stack.enter_async_context(site.client(cookie=people["bob"]["cookie"]))
        await healthy.join(room)
        stuck = [
            stack.enter_context(closing(await asyncio.to_thread(StuckReader, port, people["bob"]["token"], room)))
            for _ in range(20)
        ]
        before = server.memory_info().rss
        reading = asyncio.create_task(read_in_order(healthy, 60))
        await post_many(alice, room, 60, BIG_BODY)  # 0.9 MiB for each of twenty.
        grown = server.memory_info().rss - before
        note("memory grown, MiB", grown / MIB)
        assert grown < BACKLOG + NOISE_BYTES
        async with asyncio.timeout(15):
            while len([reader for reader in stuck if waiting_of(reader)]) > 8:
                await asyncio.sleep(0.2)
        await reading
        assert (await healthy.request("ping"))["type"] == "pong"


async def test_unread_bytes_wait_in_order_and_are_bounded(
    site: Cluster, people: dict[str, dict[str, str]], room: str
) -> None:
    """Each frame is small and the socket's commands are in work: as frames a packet would take fifty times its size."""
    server, port = psutil.Process(site.pid_of("web-1")), port_of(site)
    tiny = bytes((0x81, 0x82)) + bytes(4) + b"{}"
    async with AsyncExitStack() as stack:
        readers = [
            stack.enter_context(closing(await asyncio.to_thread(StuckReader, port, people["bob"]["token"], room)))
            for _ in range(UNREAD)
        ]
        before = server.memory_info().rss
        most = 0
        for reader in readers:
            reader.socket.setblocking(False)
        for _ in range(20):
            for reader in readers:
                try:
                    reader.socket.send(tiny * 8_000)
                except OSError:
                    pass  # Not read any more, or closed for rubbish.
            most = max(most, server.memory_info().rss - before)
            await asyncio.sleep(0.01)
        note("memory grown, MiB", most / MIB)
        assert most < UNREAD * 3 * 64 * 1024 + NOISE_BYTES


async def test_posts_that_come_while_the_database_is_locked_wait_in_their_senders_kernels(
    site: Cluster, people: dict[str, dict[str, str]], room: str
) -> None:
    """The socket's commands are in work, so it is not read: each post is a good one, of 15.6 KiB."""
    server, port = psutil.Process(site.pid_of("web-1")), port_of(site)
    async with AsyncExitStack() as stack:
        senders = [
            stack.enter_context(closing(await asyncio.to_thread(StuckReader, port, people["bob"]["token"], room)))
            for _ in range(8)
        ]
        database = stack.enter_context(closing(sqlite3.connect(site.folder / "hubbub.sqlite3", isolation_level=None)))
        database.execute("BEGIN IMMEDIATE")
        before, most = server.memory_info().rss, 0
        sending = [asyncio.create_task(send_posts(sender, room)) for sender in senders]
        ends = time.monotonic() + 3
        while time.monotonic() < ends:
            await asyncio.sleep(0.05)
            most = max(most, server.memory_info().rss - before)
        for task in sending:
            task.cancel()
        await asyncio.gather(*sending, return_exceptions=True)
        database.execute("ROLLBACK")
        note("memory grown, MiB", most / MIB)
        assert most < len(senders) * 3 * 64 * 1024 + NOISE_BYTES


async def send_posts(sender: StuckReader, room: str) -> None:
    sender.socket.setblocking(False)
    posts = [
        {"type": "message.post", "ref": 1, "topic": f"room/{room}", "id": str(uuid4()), "body": BIG_BODY}
        for _ in range(32)
    ]
    frames = b"".join(client_frame(json.dumps(post, ensure_ascii=False)) for post in posts)
    while True:
        await asyncio.get_running_loop().sock_sendall(sender.socket, frames)
