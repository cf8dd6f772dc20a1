"""Broadcasts on our own server: past Twisted's buffer when nothing waits, in order when something does, bounded."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psutil
import pytest

from tests.servers import Server, Site
from tests.wire import Client, opened

pytestmark = pytest.mark.cluster

MIB = 1 << 20
BIG_BODY = "\U0001f642" * 3_900  # 15.6 KiB
PAST_KERNEL_BUFFERS = 700  # Of these: more than the kernel takes for a socket that nobody reads.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, dict[str, str]]:
    return {name: site.make_user(name) for name in ("alice", "bob")}


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1) as [one]:
        yield one


@pytest.fixture
def patient_server(tmp_path: Path, site: Site) -> Iterator[Server]:
    """One that keeps much for a slow reader."""
    env = site.env
    site.env = env | {"HUBBUB_OUTBOX_BYTES": str(64 * MIB)}
    try:
        with site.serving("hubbub", 1) as [one]:
            yield one
    finally:
        site.env = env


@pytest.fixture
def room(site: Site) -> str:
    slug = f"room-{uuid4().hex[:12]}"
    site.shell(f"from chat import services; services.create_room(slug={slug!r}, title='Test')")
    return slug


class StuckReader:
    """A raw socket that joined a room and then reads only when it is told to."""

    def __init__(self, server: Server, token: str, room: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(20)
        self.socket.connect(("127.0.0.1", server.port))
        self.received = b""
        self.socket.sendall(
            b"GET /ws/chat/ HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        self._until(b"auth.required")
        self.send(f'{{"type": "auth", "token": "{token}"}}')
        self._until(b'"hello"')
        self.send(f'{{"type": "room.join", "ref": 1, "room": "{room}"}}')
        self._until(b'"present"')
        self.received = b""

    def send(self, text: str) -> None:
        payload = text.encode()
        assert len(payload) < 126
        self.socket.sendall(bytes((0x81, 0x80 | len(payload))) + b"\0\0\0\0" + payload)

    def read_all(self, until: bytes) -> list[str]:
        """Every text frame up to the one that contains `until`."""
        while until not in self.received:
            chunk = self.socket.recv(MIB)
            assert chunk, "cut"
            self.received += chunk
        return list(frames_of(self.received))

    def _until(self, mark: bytes) -> None:
        while mark not in self.received:
            chunk = self.socket.recv(65_536)
            assert chunk
            self.received += chunk


def frames_of(data: bytes) -> Iterator[str]:
    """Text frames; a byte out of its place shows as a wrong header, or as text that is not JSON."""
    at = 0
    while at < len(data):
        opcode, size, at = data[at], data[at + 1], at + 2
        if size == 126:
            size, at = int.from_bytes(data[at : at + 2], "big"), at + 2
        elif size == 127:
            size, at = int.from_bytes(data[at : at + 8], "big"), at + 8
        assert opcode in (0x81, 0x88, 0x89), hex(opcode)
        if opcode == 0x81:
            yield data[at : at + size].decode()
        at += size


@asynccontextmanager
async def client(server: Server, person: dict[str, str]) -> AsyncIterator[Client]:
    async with opened(server.url, cookie=person["cookie"]) as one:
        yield one


async def post_many(poster: Client, room: str, count: int, body: str) -> None:
    for start in range(0, count, 20):
        refs = range(10_000 + start, 10_000 + min(start + 20, count))
        for ref in refs:
            await poster.send({"type": "message.post", "ref": ref, "room": room, "id": str(uuid4()), "body": body})
        waiting: set[Any] = set(refs)
        async with asyncio.timeout(20):
            while waiting:
                frame = await poster._read(20)
                if frame.get("ref") in waiting:
                    assert frame["type"] == "ok", frame
                    waiting.discard(frame["ref"])


async def read_positions(reader: Client, count: int) -> list[int]:
    return [(await reader.event("message.posted"))["position"] for _ in range(count)]


async def test_a_reader_that_stalls_and_comes_back_has_lost_nothing(
    patient_server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    stuck = await asyncio.to_thread(StuckReader, patient_server, people["bob"]["token"], room)
    async with client(patient_server, people["alice"]) as alice:
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        # Small ones behind: they must not overtake what waits.
        await post_many(alice, room, 50, "small")
    stuck.send('{"type": "ping", "ref": "end"}')
    texts = await asyncio.to_thread(stuck.read_all, b'"end"')
    found = [re.match(r'\{"type":"message.posted","room":"[^"]+","position":(\d+)', text) for text in texts]
    positions = [int(one[1]) for one in found if one]
    assert positions == list(range(1, PAST_KERNEL_BUFFERS + 51))
    stuck.socket.close()


async def test_a_reader_that_never_reads_is_closed_and_the_others_do_not_notice(
    server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    process = psutil.Process(server.process.pid)
    stuck = await asyncio.to_thread(StuckReader, server, people["bob"]["token"], room)
    async with client(server, people["alice"]) as alice, client(server, people["bob"]) as bob:
        await bob.join(room)
        await post_many(alice, room, 50, BIG_BODY)
        before = process.memory_info().rss
        reading = asyncio.create_task(read_positions(bob, PAST_KERNEL_BUFFERS + 50))
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        grown = process.memory_info().rss - before
        assert grown < 8 * MIB, f"{grown / MIB:.1f} MiB"
        assert await reading == list(range(1, PAST_KERNEL_BUFFERS + 51))
        await until_connections(server, 2, seconds=10)
    stuck.socket.close()


async def test_nothing_follows_a_close(server: Server, people: dict[str, dict[str, str]], room: str) -> None:
    async with client(server, people["alice"]) as alice:
        for _ in range(20):
            async with client(server, people["bob"]) as bob:
                await bob.join(room)
                # Closed by the server for rubbish while broadcasts are on their way.
                posting = asyncio.create_task(post_many(alice, room, 40, "x"))
                for _ in range(20):
                    await bob.send("rubbish")
                assert (await bob.closed())[0] == 4008
                await posting


async def test_pings_are_answered_while_a_large_room_is_written_to(
    server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    async with client(server, people["alice"]) as alice, client(server, people["bob"]) as bob:
        readers = [await asyncio.to_thread(StuckReader, server, people["bob"]["token"], room) for _ in range(450)]
        posting = asyncio.create_task(post_many(alice, room, 200, "x"))
        while not posting.done():
            assert (await bob.request("ping"))["type"] == "pong"
        await posting
        last = await asyncio.to_thread(readers[-1].read_all, b'"position":200,')
        assert len(last) == 200
        for reader in readers:
            reader.socket.close()


async def test_who_says_goodbye_and_reads_no_more_is_not_kept(
    patient_server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    stuck = await asyncio.to_thread(StuckReader, patient_server, people["bob"]["token"], room)
    async with client(patient_server, people["alice"]) as alice:
        await post_many(alice, room, PAST_KERNEL_BUFFERS, BIG_BODY)
        stuck.socket.sendall(bytes((0x88, 0x82)) + b"\0\0\0\0" + (1000).to_bytes(2, "big"))
        await until_connections(patient_server, 1, seconds=10)
    stuck.socket.close()


async def test_who_reads_nothing_and_sends_rubbish_is_cut_and_not_read_any_further(
    patient_server: Server, people: dict[str, dict[str, str]], room: str
) -> None:
    process = psutil.Process(patient_server.process.pid)
    stuck = await asyncio.to_thread(StuckReader, patient_server, people["bob"]["token"], room)
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
        await until_connections(patient_server, 1, seconds=10)
        assert (await alice.request("ping"))["type"] == "pong"
    stuck.socket.close()


async def test_what_is_posted_right_before_a_clean_close_is_saved(
    server: Server, site: Site, people: dict[str, dict[str, str]], room: str
) -> None:
    for number in range(20):
        async with client(server, people["alice"]) as alice:
            await alice.send({"type": "message.post", "ref": 1, "room": room, "id": str(uuid4()), "body": str(number)})
    async with client(server, people["bob"]) as bob:
        bodies: list[str] = []
        async with asyncio.timeout(10):
            while len(bodies) < 20:
                bodies = [one["body"] for one in (await bob.join(room))["messages"]]
        assert bodies == [str(number) for number in range(20)]


async def until_connections(server: Server, count: int, seconds: float) -> None:
    process = psutil.Process(server.process.pid)
    async with asyncio.timeout(seconds):
        while len([one for one in process.net_connections("tcp") if one.status == "ESTABLISHED"]) > count:
            await asyncio.sleep(0.05)
