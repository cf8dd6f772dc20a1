"""Unauthenticated sockets from one address time out, and members are admitted meanwhile."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.client import opened
from tests.support.raw_client import CLOSE, connected, handshake
from tests.support.servers import DEFAULT_LIMITS, Server, Site
from tests.support.stats import note

pytestmark = pytest.mark.cluster

STRANGERS = 500
WELCOME = 50
TOGETHER = 50


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    # So long that all have come before the first has to go.
    # Proxies come by a UNIX socket: so an address of this machine is somebody's own, and no proxy's.
    with site.serving("hubbub", 1, **DEFAULT_LIMITS, HUBBUB_TRUSTED_PROXIES="unix", HUBBUB_AUTH_SECONDS="12") as (
        server,
    ):
        yield server
        assert "Traceback" not in server.log.read_text()


async def test_strangers_past_the_limit_of_their_address_are_refused_and_members_come_in(
    server: Server, site: Site
) -> None:
    alice = await asyncio.to_thread(site.make_user, "alice")
    limit = asyncio.Semaphore(TOGETHER)
    refused: list[bytes] = []
    ended: list[tuple[int, float]] = []
    came = asyncio.Semaphore(0)

    async def come() -> None:
        async with limit:
            connecting = connected(server)
            raw = await connecting.__aenter__()
            began = time.monotonic()
            raw.send(handshake(server))
            head = await raw.head()
        came.release()
        if not head.startswith(b"HTTP/1.1 101"):
            refused.append(head)
        else:
            while (frame := await raw.frame(30))[0] != CLOSE:
                pass
            ended.append((int.from_bytes(frame[1][:2]), time.monotonic() - began))
        await connecting.__aexit__(None, None, None)

    strangers = [asyncio.create_task(come()) for _ in range(STRANGERS)]
    slowest = 0.0
    members = 0
    while not all(stranger.done() for stranger in strangers):
        began = time.monotonic()
        async with opened(server.url, cookie=alice["cookie"]) as client:
            assert (await client.request("ping"))["type"] == "pong"
        slowest = max(slowest, time.monotonic() - began)
        members += 1
        await asyncio.sleep(0.05)
    await asyncio.gather(*strangers)
    note("a member came in", slowest)
    note("members came in, times", members)
    assert len(refused) == STRANGERS - WELCOME
    assert all(head.startswith(b"HTTP/1.1 503") and b"Retry-After: 5" in head for head in refused)
    assert {code for code, _ in ended} == {4002}
    assert all(11.9 < seconds < 17 for _, seconds in ended)
    assert members > 10
    assert slowest < 2
    # They have gone, and left their places.
    async with opened(server.url, token=alice["token"]) as client:
        assert client.hello
    assert server.log.read_text().count("too_many_sockets address=127.0.0.1") == 1
