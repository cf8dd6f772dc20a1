"""A vanished peer is found by the pings of the protocol, and its resources are freed."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.cluster import Cluster
from tests.support.stats import note

pytestmark = pytest.mark.cluster

HANDSHAKE = (
    "GET /ws/chat/ HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Cookie: sessionid={cookie}\r\nOrigin: http://localhost\r\n\r\n"
)


@pytest.mark.parametrize(
    ("ping", "timeout", "within"),
    [(2, 1, 12.0), pytest.param(20, 15, 40.0, marks=pytest.mark.soak)],
)
async def test_a_half_open_connection_is_freed(tmp_path: Path, ping: int, timeout: int, within: float) -> None:
    pings = {"HUBBUB_PING_SECONDS": str(ping), "HUBBUB_PING_TIMEOUT_SECONDS": str(timeout)}
    with Cluster(tmp_path, processes=1, **pings) as cluster:
        cookie = (await asyncio.to_thread(cluster.make_user, "alice"))["cookie"]
        async with cluster.client(cookie=cookie) as living:
            await living.join("general")
            # Its kernel still answers, like a proxy's; the client behind it answers no ping.
            reader, writer = await asyncio.open_unix_connection(cluster.sockets["web-1"])
            writer.write(HANDSHAKE.format(cookie=cookie).encode())
            started = time.monotonic()
            async with asyncio.timeout(within + 60):
                assert b" 101 " in await reader.readline()
                assert await reader.read()  # To its end: the process has closed it.
            freed = time.monotonic() - started
            note("freed after", freed)
            assert ping < freed < within
            writer.close()
            # A client that answers pings stays.
            assert (await living.request("ping"))["type"] == "pong"
