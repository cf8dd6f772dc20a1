"""A thousand streams of one process need no more connections to PostgreSQL than the process keeps anyway."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg
import pytest

from bench.crowd import Crowd, events_of_stream
from bench.environment import RAISED_LIMITS
from bench.frames import stream_request
from bench.handshakes import Dialog, connect
from bench.load_client import Broken
from bench.machine import raise_descriptor_limit
from bench.servers import kind_of
from hubbub.threads import held_connections
from tests.support.door_place import ROOM
from tests.support.postgresql import PostgreSQL
from tests.support.servers import Site

pytestmark = pytest.mark.cluster

STREAMS = 1_000
# The least pool that `hubbub.W025` takes: one for pages beside those that a process keeps.
POOL = held_connections() + 1
FEW = 20


class Post:
    """Posts once, by HTTP."""

    mark = b'"body":"hello"'

    def __init__(self, port: int, token: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        body = json.dumps({"type": "message.post", "ref": 1, "topic": ROOM, "id": str(uuid4()), "body": "hello"})
        head = f"POST /live/command HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
        self._request = f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    @property
    def fd(self) -> int:
        return self._socket.fileno()

    def settle(self) -> None: ...

    def begin(self, numbers: range) -> None:
        self._socket.sendall(self._request)

    def on_readable(self) -> None:
        assert self._socket.recv(1 << 16).startswith(b"HTTP/1.1 200")

    def delivered(self, size: int) -> None: ...

    def close(self) -> None:
        self._socket.close()

    def sent_at(self) -> float:
        return 0.0


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


async def test_a_thousand_streams_share_the_connections_of_the_process(postgresql: PostgreSQL, tmp_path: Path) -> None:
    raise_descriptor_limit()
    limits = RAISED_LIMITS | {"HUBBUB_DATABASE_CONNECTIONS": str(POOL), "HUBBUB_PRESENCE_GRACE_SECONDS": "0"}
    site = Site(tmp_path, DATABASE_URL=postgresql.create("streams"), **limits)
    site.shell("from chat import services; services.create_room(slug='lounge', title='Lounge')")
    token = site.make_user("alice")["token"]
    with (
        site.serving("hubbub", 1) as [server],
        closing(psycopg.connect(postgresql.url, autocommit=True)) as observer,
    ):
        process = psutil.Process(server.process.pid)

        def join(index: int) -> Dialog:
            headers = {"Authorization": f"Bearer {token}"}
            yield stream_request(f"/live/events?topic={ROOM}", f"127.0.0.1:{server.port}", headers)
            while (kind := kind_of((yield b""))) != "ok":
                if kind in ("error", "closed"):
                    raise Broken("not joined")

        def crowd(count: int) -> Crowd:
            return Crowd(connect(("127.0.0.1", server.port), count, join, are_streams=True), events_of_stream)

        def connections() -> int:
            found = observer.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = 'streams'").fetchone()
            assert found is not None
            return int(found[0])

        few = await asyncio.to_thread(crowd, FEW)
        threads = process.num_threads()
        joining = asyncio.create_task(asyncio.to_thread(crowd, STREAMS))
        most = 0
        while not joining.done():
            most = max(most, await asyncio.to_thread(connections))
        many = await joining
        with closing(few), closing(many):
            assert 1 <= most <= POOL
            many.drain(1.5)
            # A thread for each stream would be a thousand.
            assert process.num_threads() <= threads + FEW
            with closing(Post(server.port, token)) as post:
                received = await asyncio.to_thread(many.receive, post, range(1))
            assert len(received.arrived_at) == STREAMS
            assert b"hello" in received.payloads[0]
            assert connections() <= POOL
