"""A process that may open few descriptors: it says so, and new connections get in all the same."""

import asyncio
import resource
from contextlib import AsyncExitStack

import psutil
import pytest

from tests.support.raw_client import answered, connected, frame, opened
from tests.support.servers import Site

pytestmark = pytest.mark.cluster

GET = b"GET /account/sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("descriptors"))


async def test_330_idle_connections_at_ulimit_300_do_not_block_others(site: Site) -> None:
    cookie = site.make_user("alice")["cookie"]
    with site.serving("hubbub with 300 descriptors", 1) as [server]:
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(connected(server)) for _ in range(330)]
            for _ in range(5):
                assert (await answered(server, GET))[0] == 200
            async with opened(server, cookie) as socket:  # It asks the database and Redis.
                socket.send(frame(1, b'{"type": "ping", "ref": 1}'))
                assert await socket.frame() == (1, b'{"type":"pong","ref":1}')
            assert await idle[0].rest(10) == b""  # Closed, not reset.
            idle[-1].send(GET)
            assert await idle[-1].status() == 200
            assert psutil.Process(server.process.pid).num_fds() < 280
        log = server.log.read_text()
    assert log.count("in use, closing idle connections; new connections wait") == 1
    assert "(hubbub.W006) The limit of 300 file descriptors is too low" in log
    assert "Traceback" not in log


async def test_connections_past_the_last_descriptor_wait_until_there_is_room(site: Site) -> None:
    """Sockets with a user do not give way."""
    cookie = site.make_user("alice")["cookie"]
    with site.serving("hubbub with 300 descriptors", 1) as [server]:
        async with AsyncExitStack() as stack:
            sockets = []
            while len(sockets) < 300:
                try:
                    async with asyncio.timeout(2):
                        sockets.append(await stack.enter_async_context(opened(server, cookie)))
                except TimeoutError:
                    break
            assert 80 < len(sockets) < 250
            waiting = await stack.enter_async_context(connected(server))
            waiting.send(GET)
            with pytest.raises(TimeoutError):
                await waiting.head(1)
            for socket in sockets[:60]:
                socket.writer.transport.abort()
            assert await waiting.status() == 200
            sockets[-1].send(frame(1, b'{"type": "ping", "ref": 1}'))
            assert await sockets[-1].frame() == (1, b'{"type":"pong","ref":1}')


def test_a_server_raises_its_limit_to_the_need_of_its_settings(site: Site) -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    with site.serving("hubbub with a soft limit of 256", 1) as [server]:
        wanted = 10_000 + 4_000 + 128
        limit = resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE)
        assert limit == (wanted if hard == resource.RLIM_INFINITY else min(hard, wanted), hard)
        assert f"descriptors: soft limit raised from 256 to {limit[0]}" in server.log.read_text()
