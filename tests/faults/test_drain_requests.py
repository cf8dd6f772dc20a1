"""A process that is asked to end finishes its requests, and ends in time."""

import asyncio
import time
from collections.abc import Iterator

import pytest

from tests.support.raw_client import Raw, connected
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

ORDERLY_SECONDS = 18.0  # Fifteen are promised; after thirteen it cuts what is left, and a busy machine is late.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("slow"))


@pytest.fixture
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1, "tests.support.slow_site:application") as [server]:
        yield server


def get(path: str, *lines: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: 127.0.0.1", *lines, "", ""]).encode()


async def ended(server: Server) -> tuple[int, float]:
    """Its exit code, and how long it took since now."""
    asked = time.monotonic()
    return await asyncio.to_thread(server.process.wait, 30), time.monotonic() - asked


async def read_slowly(client: Raw, size: int) -> int:
    """How much of the body comes."""
    got = 0
    while got < size and (chunk := await client.reader.read(1 << 20)):
        got += len(chunk)
        await asyncio.sleep(0.05)
    return got


async def test_an_answer_that_is_being_sent_is_sent_to_its_end(server: Server) -> None:
    async with connected(server) as client:
        client.send(get("/big"))
        size = int((await client.head()).lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        server.process.terminate()
        assert await read_slowly(client, size) == size
        assert (await ended(server))[0] == 0


async def test_unfinished_requests_and_unread_answers_do_not_keep_the_process(server: Server) -> None:
    async with connected(server) as silent, connected(server) as deaf:
        silent.send(b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000\r\n\r\n")
        deaf.send(get("/big"))
        await deaf.head()
        server.process.terminate()
        code, seconds = await ended(server)
    assert code == 0
    assert seconds < ORDERLY_SECONDS


async def test_a_connection_that_is_kept_alive_does_not_keep_the_process(server: Server) -> None:
    async with connected(server) as client:
        client.send(get("/healthz"))
        await client.head()
        server.process.terminate()
        code, seconds = await ended(server)
    assert code == 0
    assert seconds < 3


async def test_a_request_that_is_still_arriving_is_answered(server: Server) -> None:
    async with connected(server) as client:
        client.send(b"POST /upload HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 2000\r\n\r\n", b"x" * 1000)
        await asyncio.sleep(0.2)
        server.process.terminate()
        await asyncio.sleep(1)
        client.send(b"x" * 1000)
        assert await client.status() == 200
        assert (await ended(server))[0] == 0


async def test_a_thread_that_hangs_does_not_keep_the_process(server: Server) -> None:
    async with connected(server) as client:
        client.send(get("/stuck"))
        await client.head()
        server.process.terminate()
        code, seconds = await ended(server)
    assert code == 0
    assert seconds < ORDERLY_SECONDS
