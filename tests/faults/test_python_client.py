"""A program that uses `hubbub.client` sees every event once and in order, through kills, outages and cut links."""

import asyncio
import itertools
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from hubbub.client import Client, connection
from tests.support.cluster import Cluster, until
from tests.support.missed_changes import LONGEST, new_room
from tests.support.proxy import Proxy
from tests.support.redis_server import OwnRedis

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

POSTS_PER_SECOND = 20.0
SECONDS = 40.0


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis_server:
        redis_server.start()
        yield redis_server


@pytest.fixture(scope="module")
def site(redis: OwnRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    settings = {"REDIS_URL": redis.url, "HUBBUB_HEARTBEAT_SECONDS": "2"}
    with Cluster(tmp_path_factory.mktemp("python-client"), processes=2, **settings) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def tokens(site: Cluster) -> list[str]:
    return [site.make_user(name)["token"] for name in ("writer", "anna", "ben", "carl")]


class Reader:
    """A program that reads one room."""

    def __init__(self) -> None:
        self.positions: list[int] = []
        self.states = 0

    async def read(self, hub: Client, room: str) -> None:
        async for event in hub.topic(f"room/{room}"):
            if event["type"] == "state":
                self.states += 1
            elif "position" in event:
                self.positions.append(event["position"])


class Talk:
    """A writer and readers. All are programs: they know nothing of lost connections."""

    def __init__(self, writer: Client, readers: Sequence[Reader], room: str) -> None:
        self.readers = readers
        self._writer = writer
        self._room = room
        self._posts: list[asyncio.Task[Any]] = []

    async def write(self) -> None:
        for number in itertools.count():
            await asyncio.sleep(1 / POSTS_PER_SECOND)
            self._posts.append(asyncio.create_task(self.post(f"message {number}")))

    async def post(self, body: str) -> int:
        """Post a message; its position."""
        result = await self._writer.send(f"room/{self._room}", "message.post", id=uuid4(), body=body)
        position: int = result["position"]
        return position

    async def say(self, count: int) -> None:
        """Wait until `count` more messages are acknowledged."""
        wanted = len(self._posts) + count
        await until(lambda: len(self._posts) >= wanted, SECONDS)
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*self._posts[:wanted])

    async def end(self) -> None:
        """All readers have all messages, each once and in order."""
        async with asyncio.timeout(SECONDS):
            positions = await asyncio.gather(*self._posts)
        assert sorted(positions) == list(range(1, len(positions) + 1))
        await until(lambda: all(len(reader.positions) >= len(positions) for reader in self.readers), SECONDS)
        for reader in self.readers:
            assert reader.positions == list(range(1, len(positions) + 1))
            assert reader.states == 1


@asynccontextmanager
async def talking(site: Cluster, tokens: Sequence[str], urls: Sequence[str]) -> AsyncIterator[Talk]:
    """A talk in a new room: the writer on the common port, a reader at each URL."""
    room = await asyncio.to_thread(new_room, site)
    readers = [Reader() for _ in urls]
    clients = [Client(url, token=token) for url, token in zip([common(site), *urls], tokens, strict=False)]
    async with clients[0] as writer:
        talk = Talk(writer, readers, room)
        async with asyncio.TaskGroup() as tasks:
            reading = [tasks.create_task(run(*pair, room)) for pair in zip(readers, clients[1:], strict=True)]
            await until(lambda: all(reader.states for reader in readers))
            writing = tasks.create_task(talk.write())
            yield talk
            writing.cancel()
            await talk.end()
            for task in reading:
                task.cancel()


async def run(reader: Reader, client: Client, room: str) -> None:
    async with client as hub:
        await reader.read(hub, room)


def common(site: Cluster) -> str:
    return site.url.replace("http", "ws", 1) + "/ws/chat/"


async def kill(site: Cluster) -> None:
    os.kill(site.pid_of("web-1") or 0, signal.SIGKILL)


async def terminate(site: Cluster) -> None:
    os.kill(site.pid_of("web-2") or 0, signal.SIGTERM)


async def restart_in_turn(site: Cluster) -> None:
    before = {name: site.pid_of(name) for name in ("web-1", "web-2")}
    site.up.send_signal(signal.SIGHUP)
    await until(lambda: all(site.pid_of(name) not in (None, pid) for name, pid in before.items()), SECONDS)


@pytest.mark.parametrize("fault", [kill, terminate, restart_in_turn])
async def test_a_program_misses_nothing_when_processes_end(
    site: Cluster, tokens: list[str], fault: Callable[[Cluster], Any]
) -> None:
    await until(lambda: set(site.sockets) == {"web-1", "web-2"})
    async with talking(site, tokens, [common(site)] * 3) as talk:
        await talk.say(20)
        await fault(site)
        await talk.say(40)


async def test_a_program_misses_nothing_while_redis_is_away(site: Cluster, tokens: list[str], redis: OwnRedis) -> None:
    async with talking(site, tokens, [common(site)] * 3) as talk:
        await talk.say(20)
        redis.stop()
        await talk.say(40)
        redis.start()
        await talk.say(40)


async def test_a_program_finds_a_dead_link_and_misses_nothing(
    site: Cluster, tokens: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "PONG_SECONDS", 2.0)
    with Proxy(site.sockets["web-1"]) as proxy:
        through = f"ws://127.0.0.1:{proxy.port}/ws/chat/"
        async with talking(site, tokens, [through, common(site)]) as talk:
            await talk.say(20)
            known = proxy.connections
            proxy.lose()  # Nothing says so: no bytes come, and none are taken back.
            behind = talk.readers[0]
            lost_at = len(behind.positions)
            await until(lambda: proxy.connections > known, SECONDS)
            await until(lambda: len(behind.positions) > lost_at + 40, SECONDS)
            proxy.reset()
            await talk.say(20)


async def test_a_slow_program_gets_all_through_a_small_buffer(site: Cluster, tokens: list[str]) -> None:
    room = await asyncio.to_thread(new_room, site)
    async with (
        Client(common(site), token=tokens[0]) as writer,
        Client(common(site), token=tokens[1], buffer_bytes=64 * 1024) as hub,
    ):
        topic = hub.topic(f"room/{room}")
        assert (await anext(topic))["type"] == "state"
        for _ in range(2):
            # 100 KiB: more than the buffer, and more than one answer to a join has.
            bodies = [LONGEST, *["short"] * 10] * 6
            sending = (writer.send(f"room/{room}", "message.post", id=uuid4(), body=body) for body in bodies)
            await asyncio.gather(*sending)
        assert not topic.is_joined
        assert await topic.send("history", since=0, limit=1)  # Answered, although nothing is read.
        positions = []
        async with asyncio.timeout(SECONDS):
            while len(positions) < 2 * len(bodies):
                event = await anext(topic)
                assert event["type"] != "state"  # Too much for a resume.
                if "position" in event:
                    positions.append(event["position"])
        assert positions == list(range(1, 2 * len(bodies) + 1))
        await until(lambda: topic.is_joined)
