"""Bounds on the memory and time that one HTTP client may take; other clients are served."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support.http_bounds import HEADS, MIB, body_of, deaf, get, held, send_much, until_only
from tests.support.raw_client import Raw, answered, connected, frame, handshake, opened
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

STREAM_BYTES = 20 * MIB  # See http_site.
ANSWER_SECONDS = 2


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("http"))


@pytest.fixture(scope="module")
def file(site: Site) -> tuple[str, bytes]:
    """The largest static file: path and contents."""
    static = site.folder / "static"
    largest: Path = max(static.rglob("*.js"), key=lambda path: path.stat().st_size)
    assert largest.stat().st_size > 300_000
    return f"/static/{largest.relative_to(static)}", largest.read_bytes()


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1, HUBBUB_ANSWER_SECONDS=str(ANSWER_SECONDS)) as [server]:
        yield server
        log = server.log.read_text()
        assert "Traceback" not in log
        assert "ERROR" not in log


@pytest.fixture(scope="module")
def unlimited(site: Site) -> Iterator[Server]:
    """With the settings' defaults, for tests that look at its memory."""
    with site.serving("hubbub", 1) as [server]:
        yield server


@pytest.fixture(scope="module")
def streaming(site: Site) -> Iterator[Server]:
    settings = {"HUBBUB_ANSWER_SECONDS": str(ANSWER_SECONDS)}
    with site.serving("hubbub", 1, "tests.support.http_site:application", **settings) as [server]:
        yield server


@pytest.fixture(scope="module")
def few_bytes(site: Site) -> Iterator[Server]:
    settings = {"HUBBUB_ANSWERS_BYTES": str(MIB), "HUBBUB_BODIES_BYTES": str(2 * MIB)}
    with site.serving("hubbub", 1, **settings) as [server]:
        yield server


@pytest.fixture(scope="module")
def few_per_address(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1, HUBBUB_MAX_CONNECTIONS_PER_ADDRESS="10") as [server]:
        yield server


# Answers that wait for their clients


async def test_pipelined_requests_with_unread_answers_take_little_memory(
    unlimited: Server, file: tuple[str, bytes]
) -> None:
    path, _ = file
    assert (await answered(unlimited, get(path)))[0] == 200
    before = held(unlimited)
    most = 0
    async with AsyncExitStack() as stack:
        pipeline = [get(path)] * (300_000 // len(get(path)))
        for _ in range(5):
            await stack.enter_async_context(deaf(unlimited, *pipeline))
        for _ in range(40):
            await asyncio.sleep(0.1)
            most = max(most, held(unlimited) - before)
        assert (await answered(unlimited, get("/healthz")))[0] == 200
    assert most < 60 * MIB


async def test_a_pipeline_that_is_read_is_answered_in_order(server: Server, file: tuple[str, bytes]) -> None:
    path, content = file
    async with connected(server) as client:
        for _ in range(10):
            client.send(get(path), get("/healthz"), get("/nothing-here"))
        for _ in range(10):
            assert await body_of(client, await client.head()) == content
            assert await body_of(client, await client.head()) == b"ok"
            head = await client.head()
            assert b" 404 " in head
            await body_of(client, head)


@pytest.mark.parametrize("line", ["Connection: close", "Connection: keep-alive"])
async def test_a_client_that_never_reads_its_answer_is_cut(server: Server, file: tuple[str, bytes], line: str) -> None:
    path, _ = file
    keep_alive = [get(path)] * 40  # More than the kernel takes.
    last = get(path, line)
    await until_only(server, 0, 20)
    async with deaf(server, *keep_alive, last):
        await asyncio.sleep(0.5)
        await until_only(server, 0, ANSWER_SECONDS + 8)
    assert "too_many_connections address=127.0.0.1 user=- connection=- 'answer_seconds'" in server.log.read_text()


async def test_one_closing_answer_that_is_never_read_is_cut(streaming: Server) -> None:
    async with deaf(streaming, get("/big", "Connection: close")):
        await asyncio.sleep(0.5)
        await until_only(streaming, 0, ANSWER_SECONDS + 8)


async def test_a_slow_reader_gets_the_whole_answer(streaming: Server) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", streaming.port, limit=65_536)
    writer.write(get("/stream", "Connection: close"))
    began, got = time.monotonic(), 0
    while chunk := await reader.read(65_536):
        got += len(chunk)
        if time.monotonic() - began < 3 * ANSWER_SECONDS:
            await asyncio.sleep(0.2)
    assert got > STREAM_BYTES
    assert time.monotonic() - began > 3 * ANSWER_SECONDS
    writer.close()


async def test_an_application_waits_for_a_client_that_does_not_read(site: Site) -> None:
    """20 MiB each for eight of them: of that the kernel takes a part, and the process half a megabyte."""
    with site.serving("hubbub", 1, "tests.support.http_site:application") as [server]:
        await answered(server, get("/healthz"))
        before = held(server)
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(deaf(server, get("/stream")))
            await asyncio.sleep(2)
            assert held(server) - before < 40 * MIB
            assert (await answered(server, get("/healthz")))[0] == 200


async def test_past_the_bound_of_all_answers_the_slowest_clients_are_cut(
    few_bytes: Server, file: tuple[str, bytes]
) -> None:
    path, content = file
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(deaf(few_bytes, *[get(path)] * 100))
        await until_only(few_bytes, 3, 20)
        async with connected(few_bytes) as client:
            client.send(get(path))
            assert await body_of(client, await client.head()) == content
    assert "'answers_bytes'" in few_bytes.log.read_text()


async def test_past_so_many_views_that_wait_for_their_clients_the_slowest_is_cut(site: Site) -> None:
    settings = {"HUBBUB_SLOW_ANSWERS": "3"}
    with site.serving("hubbub", 1, "tests.support.http_site:application", **settings) as [server]:
        async with AsyncExitStack() as stack:
            for _ in range(8):
                await stack.enter_async_context(deaf(server, get("/stream")))
            await until_only(server, 3, 10)


async def test_a_client_with_a_waiting_answer_is_not_read(unlimited: Server, file: tuple[str, bytes]) -> None:
    path, _ = file
    await answered(unlimited, get(path))
    before = held(unlimited)
    async with deaf(unlimited, *[get(path)] * 40) as client:
        await asyncio.sleep(1)
        with pytest.raises(TimeoutError):
            await send_much(client, 200 * MIB, 3)
        assert held(unlimited) - before < 60 * MIB


# Heads and bodies


@pytest.mark.parametrize(("request_", "status"), HEADS.values(), ids=HEADS.keys())
async def test_a_head_that_is_too_long_is_refused(server: Server, request_: bytes, status: int) -> None:
    async with connected(server) as client:
        client.send(request_)
        assert await client.status() == status
        assert await client.rest() == b""


async def test_a_head_of_15_kb_is_taken(server: Server) -> None:
    assert (await answered(server, get("/healthz?" + "x" * 7_000, "X: " + "x" * 8_000)))[0] == 200


async def test_bodies_that_are_never_finished_are_bounded_in_all(few_bytes: Server) -> None:
    post = b"POST /account/sign-in/ HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 1000000\r\n\r\n"
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(few_bytes)) for _ in range(3)]
        for client in clients[:2]:
            client.send(post, b"x" * 999_999)
        await asyncio.sleep(1)
        clients[2].send(post, b"x" * 200_000)
        head = await clients[2].head()
        assert b" 503 " in head
        assert b"Retry-After: 5\r\n" in head
    async with asyncio.timeout(10):  # What the others held is free again.
        while (await answered(few_bytes, post + b"x" * 1_000_000))[0] != 403:
            await asyncio.sleep(0.05)


# The addresses of sockets


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", ["/ws/", "/ws/chat/", "/ws/monitor/"])
async def test_a_request_without_upgrade_to_the_address_of_a_socket_gets_426(
    server: Server, method: str, path: str
) -> None:
    async with connected(server) as client:
        client.send(get(path).replace(b"GET", method.encode()), get("/healthz"))
        head = await client.head()
        assert head.startswith(b"HTTP/1.1 426 Upgrade Required\r\n")
        assert b"upgrade: websocket\r\n" in head.lower()
        if method != "HEAD":
            assert b"WebSocket" in await body_of(client, head)
        assert await client.status() == 200


async def test_another_address_below_those_of_sockets_is_not_found(server: Server) -> None:
    assert (await answered(server, get("/ws/nothing/")))[0] == 404


# Connections


async def rest(client: Raw) -> bytes:
    return await client.rest(10)


async def test_past_so_many_connections_the_one_that_is_idle_for_longest_gives_way(site: Site) -> None:
    with site.serving("hubbub", 1, HUBBUB_MAX_CONNECTIONS="10") as [server]:
        async with AsyncExitStack() as stack:
            idle = [await stack.enter_async_context(connected(server)) for _ in range(40)]
            for client in idle[:30]:
                assert await rest(client) == b""
            for client in idle[30:]:
                client.send(get("/healthz"))
                assert await client.status() == 200
        assert "too_many_connections address=127.0.0.1 user=- connection=- 'connections'" in server.log.read_text()


async def test_idle_connections_of_one_address_are_bounded_and_sockets_are_none_of_them(
    site: Site, few_per_address: Server
) -> None:
    cookie = site.make_user("alice")["cookie"]
    async with AsyncExitStack() as stack:
        sockets = [await stack.enter_async_context(opened(few_per_address, cookie)) for _ in range(30)]
        idle = [await stack.enter_async_context(connected(few_per_address)) for _ in range(30)]
        for client in idle[:20]:
            assert await rest(client) == b""
        for client in idle[20:]:
            client.send(get("/healthz"))
            assert await client.status() == 200
        for socket in sockets:
            socket.send(frame(1, b'{"type": "ping", "ref": 1}'))
            assert await socket.frame() == (1, b'{"type":"pong","ref":1}')


async def test_many_connections_at_once_from_one_address_have_time_for_a_request(few_per_address: Server) -> None:
    await until_only(few_per_address, 0, 20)
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(few_per_address)) for _ in range(100)]
        for client in clients:
            client.send(handshake(few_per_address))
        for client in clients[:50]:  # So many unknown sockets may come from one address.
            assert await client.status() in (101, 503)


async def test_a_trusted_proxy_is_not_counted(site: Site) -> None:
    settings = {"HUBBUB_MAX_CONNECTIONS_PER_ADDRESS": "10", "HUBBUB_TRUSTED_PROXIES": "127.0.0.1"}
    with site.serving("hubbub", 1, **settings) as [server]:
        async with AsyncExitStack() as stack:
            clients = [await stack.enter_async_context(connected(server)) for _ in range(30)]
            await asyncio.sleep(4)  # Longer than a connection has to itself.
            for client in clients:
                client.send(get("/healthz"))
                assert await client.status() == 200
