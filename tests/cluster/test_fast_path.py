"""Broadcasts on our own server: past Twisted's buffer when nothing waits, in order when something does, bounded."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from tests.support import raw_client
from tests.support.client import Client, opened
from tests.support.servers import Server, Site
from tests.support.stuck_client import BIG_BODY, MIB, PAST_KERNEL_BUFFERS, StuckReader, post_many, until_connections

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, dict[str, str]]:
    return {name: site.make_user(name) for name in ("alice", "bob")}


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1) as [server]:
        yield server


@pytest.fixture
def patient_server(tmp_path: Path, site: Site) -> Iterator[Server]:
    """One that keeps much for a slow reader."""
    env = site.env
    site.env = env | {"HUBBUB_OUTBOX_BYTES": str(64 * MIB)}
    try:
        with site.serving("hubbub", 1) as [server]:
            yield server
    finally:
        site.env = env


@pytest.fixture
def room(site: Site) -> str:
    slug = f"room-{uuid4().hex[:12]}"
    site.shell(f"from chat import services; services.create_room(slug={slug!r}, title='Test')")
    return slug


@asynccontextmanager
async def client(server: Server, person: dict[str, str]) -> AsyncIterator[Client]:
    async with opened(server.url, cookie=person["cookie"]) as client:
        yield client


async def test_a_reader_that_stalls_and_comes_back_has_lost_nothing(
    patient_server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    stuck = await asyncio.to_thread(StuckReader, patient_server.port, people["bob"]["token"], room)
    async with client(patient_server, people["alice"]) as alice:
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        # Small ones behind: they must not overtake what waits.
        await post_many(alice, room, 50, "small")
    stuck.send('{"type": "ping", "ref": "end"}')
    texts = await asyncio.to_thread(stuck.read_all, b'"end"')
    matches = [re.match(r'\{"type":"message.posted","topic":"[^"]+","position":(\d+)', text) for text in texts]
    positions = [int(match[1]) for match in matches if match]
    assert positions == list(range(1, PAST_KERNEL_BUFFERS + 51))
    stuck.socket.close()


async def test_nothing_follows_a_close(server: Server, people: dict[str, dict[str, str]], room: str) -> None:
    async with client(server, people["alice"]) as alice:
        for _ in range(20):
            # By bytes: a client library keeps to itself what comes after a close.
            async with raw_client.opened(server, people["bob"]["cookie"]) as bob:
                bob.send(raw_client.frame(raw_client.TEXT, f'{{"type":"join","ref":1,"topic":"room/{room}"}}'.encode()))
                while b'"ref":1' not in (await bob.frame())[1]:
                    pass
                # Closed by the server for rubbish while broadcasts are on their way.
                posting = asyncio.create_task(post_many(alice, room, 40, "x"))
                bob.send(raw_client.frame(raw_client.TEXT, b"rubbish") * 20)
                assert await bob.close_code() == 4008
                await posting
                bob.send(raw_client.frame(raw_client.CLOSE, (1000).to_bytes(2, "big")))
                assert await bob.rest() == b""


async def test_pings_are_answered_while_a_large_room_is_written_to(
    server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    async with client(server, people["alice"]) as alice, client(server, people["bob"]) as bob:
        readers = [await asyncio.to_thread(StuckReader, server.port, people["bob"]["token"], room) for _ in range(450)]
        posting = asyncio.create_task(post_many(alice, room, 200, "x"))
        while not posting.done():
            assert (await bob.request("ping"))["type"] == "pong"
        await posting
        last = await asyncio.to_thread(readers[-1].read_all, b'"position":200,')
        assert len([text for text in last if text.startswith('{"type":"message.posted"')]) == 200
        for reader in readers:
            reader.socket.close()


async def test_a_closing_client_that_reads_no_more_is_not_kept(
    patient_server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    stuck = await asyncio.to_thread(StuckReader, patient_server.port, people["bob"]["token"], room)
    async with client(patient_server, people["alice"]) as alice:
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        stuck.socket.sendall(bytes((0x88, 0x82)) + b"\0\0\0\0" + (1000).to_bytes(2, "big"))
        await until_connections(patient_server.process.pid, 1, seconds=10)
    stuck.socket.close()


async def test_a_socket_that_sends_rubbish_and_reads_nothing_is_cut(
    patient_server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    process = psutil.Process(patient_server.process.pid)
    stuck = await asyncio.to_thread(StuckReader, patient_server.port, people["bob"]["token"], room)
    async with client(patient_server, people["alice"]) as alice:
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        before = process.memory_info().rss

        def flood() -> None:
            try:
                for _ in range(200_000):
                    stuck.send('{"type": "rubbish", "padding": "' + "x" * 80 + '"}')
            except OSError:
                return
            raise AssertionError("it took everything")

        stuck.socket.settimeout(1)
        await asyncio.to_thread(flood)
        assert process.memory_info().rss - before < 8 * MIB
        await until_connections(patient_server.process.pid, 1, seconds=10)
        assert (await alice.request("ping"))["type"] == "pong"
    stuck.socket.close()


async def test_a_post_right_before_a_clean_close_is_saved(
    server: Server, site: Site, people: dict[str, dict[str, str]], room: str
) -> None:
    for number in range(20):
        async with client(server, people["alice"]) as alice:
            post = {"type": "message.post", "ref": 1, "topic": f"room/{room}"}
            await alice.send(post | {"id": str(uuid4()), "body": str(number)})
    async with client(server, people["bob"]) as bob:
        bodies: list[str] = []
        async with asyncio.timeout(10):
            while len(bodies) < 20:
                bodies = [message["body"] for message in (await bob.join(room))["messages"]]
        assert bodies == [str(number) for number in range(20)]
