"""Clients that read nothing or send too much harm only themselves."""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, closing, suppress
from uuid import uuid4

import psutil
import pytest

from tests.support.cluster import Cluster
from tests.support.stats import note
from tests.support.stuck_client import (
    BIG_BODY,
    MIB,
    PAST_KERNEL_BUFFERS,
    StuckReader,
    port_of,
    post_many,
    read_in_order,
    until_connections,
)

pytestmark = pytest.mark.cluster

STUCK = 3
SENDERS = 5
NOISE_BYTES = 6 * MIB  # What a process's memory goes up and down by itself.

Stuck = Callable[[int, str, str], StuckReader]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("clients"), processes=1) as cluster:
        yield cluster


@pytest.fixture
def server(site: Cluster) -> psutil.Process:
    pid = site.pid_of("web-1")
    assert pid
    return psutil.Process(pid)


@pytest.fixture
def stuck() -> Iterator[Stuck]:
    with ExitStack() as stack:
        yield lambda *args: stack.enter_context(closing(StuckReader(*args)))


async def keep_pinging(readers: list[StuckReader]) -> None:
    with suppress(OSError):  # It was cut.
        while True:
            for reader in readers:
                reader.send('{"type": "ping", "ref": 1}')
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("sends", [False, True], ids=["silent", "sending now and then"])
async def test_a_client_that_never_reads_is_cut_and_the_others_do_not_notice(
    site: Cluster, server: psutil.Process, people: dict[str, dict[str, str]], room: str, stuck: Stuck, sends: bool
) -> None:
    port = port_of(site)
    token = people["bob"]["token"]
    readers = [await asyncio.to_thread(stuck, port, token, room) for _ in range(STUCK)]
    pinging = asyncio.create_task(keep_pinging(readers if sends else []))
    async with site.client(cookie=people["alice"]["cookie"]) as alice, site.client(token=token) as bob:
        await bob.join(room)
        before = server.memory_info().rss
        reading = asyncio.create_task(read_in_order(bob, PAST_KERNEL_BUFFERS))
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        grown = server.memory_info().rss - before
        assert grown < STUCK * MIB + NOISE_BYTES, f"{grown / MIB:.1f} MiB"
        note("memory grown, MiB", grown / MIB)
        await until_connections(server.pid, 2, seconds=6)  # 2 s after the last of them was too slow.
        longest = await reading
        note("others waited", longest)
        assert longest < 1.5  # They are cut after two seconds: so nobody waits for that.
    pinging.cancel()


@pytest.mark.parametrize("size", [65 << 10, MIB, 10 * MIB], ids=["65 KiB", "1 MiB", "10 MiB"])
async def test_a_frame_that_is_too_big_ends_with_1009_within_a_second(
    site: Cluster, server: psutil.Process, people: dict[str, dict[str, str]], room: str, size: int
) -> None:
    async with AsyncExitStack() as stack:
        bob = await stack.enter_async_context(site.client(cookie=people["bob"]["cookie"]))
        await bob.join(room)
        senders = [await stack.enter_async_context(site.client(token=people["alice"]["token"])) for _ in range(SENDERS)]
        frame = (
            f'{{"type": "message.post", "ref": 1, "topic": "room/{room}", "id": "{uuid4()}", "body": "{"x" * size}"}}'
        )
        before = server.memory_info().rss
        for sender in senders:
            began = time.monotonic()
            sending = asyncio.create_task(sender.send(frame))
            assert (await sender.closed())[0] == 1009
            took = time.monotonic() - began
            note("closed after", took)
            assert took < 1
            await asyncio.gather(sending, return_exceptions=True)  # The rest of it has nobody to go to.
            assert server.memory_info().rss - before < NOISE_BYTES
        assert (await bob.request("ping"))["type"] == "pong"
        assert [event for event in bob._events if "position" in event] == []
