"""Liveness probes: answers and silence."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hubbub.supervisor import liveness
from hubbub.supervisor.liveness import Liveness

pytestmark = pytest.mark.slow

LIMIT = 0.5

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(liveness, "PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(liveness, "STEP_SECONDS", 0.05)
    monkeypatch.setattr(liveness, "MAX_STEP_SECONDS", 0.1)
    monkeypatch.setattr(liveness, "PROBE_TIMEOUT_SECONDS", 0.3)


@asynccontextmanager
async def process(path: Path, answer: Answer) -> AsyncIterator[Liveness]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(reader, writer)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_unix_server(serve, path)
    async with server:
        yield Liveness(path, "localhost", LIMIT)


async def is_silent(life: Liveness, seconds: float = 3 * LIMIT) -> bool:
    try:
        async with asyncio.timeout(seconds):
            await life.watch()
    except TimeoutError:
        return False
    return True


async def says(text: bytes, writer: asyncio.StreamWriter) -> None:
    writer.write(text)


@pytest.mark.parametrize(
    "text",
    [
        b"HTTP/1.1 200 OK\r\n\r\nok",
        b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\n\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"nonsense",
        b"",  # It has taken the connection, and closes it.
    ],
)
async def test_any_answer_counts_as_alive(tmp_path: Path, text: bytes) -> None:
    async with process(tmp_path / "socket", lambda _, writer: says(text, writer)) as life:
        assert not await is_silent(life)
        assert life.answered.is_set()
        assert not life.draining.is_set()


async def test_a_process_that_always_answers_late_is_alive(tmp_path: Path) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.7 * LIMIT)
        await says(b"HTTP/1.1 200 OK\r\n\r\nok", writer)

    async with process(tmp_path / "socket", answer) as life:
        assert not await is_silent(life, 4 * LIMIT)


async def test_a_process_that_loses_one_probe_and_answers_the_next_is_alive(tmp_path: Path) -> None:
    asked = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        if asked % 2:
            await reader.read()
        else:
            await says(b"HTTP/1.1 200 OK\r\n\r\nok", writer)

    async with process(tmp_path / "socket", answer) as life:
        assert not await is_silent(life)


async def test_a_process_that_ends_in_order_is_noticed(tmp_path: Path) -> None:
    async with process(tmp_path / "socket", lambda _, writer: says(b"HTTP/1.1 200 OK\r\n\r\ndraining", writer)) as life:
        assert not await is_silent(life, 0.5)
        assert life.draining.is_set()


async def test_silence_counts_from_the_last_answer(tmp_path: Path) -> None:
    frozen = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if frozen.is_set():
            await reader.read()
        await says(b"HTTP/1.1 200 OK\r\n\r\nok", writer)

    async with process(tmp_path / "socket", answer) as life:
        watching = asyncio.create_task(life.watch())
        await life.answered.wait()
        frozen.set()
        began = time.monotonic()
        await watching
        assert LIMIT * 0.9 < time.monotonic() - began < LIMIT + 5
        assert life.unresponsive.is_set()
        # It may come back, and is watched again.
        frozen.clear()
        assert await life.is_responsive()
        assert not await is_silent(life)


async def test_a_socket_whose_queue_is_full_is_silent(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(0)
        assert await is_silent(life := Liveness(tmp_path / "socket", "localhost", LIMIT, start_seconds=LIMIT), 10)
        assert not life.answered.is_set()
        assert not await life.is_responsive()


async def test_a_start_takes_its_time_unless_it_is_bounded(tmp_path: Path) -> None:
    assert not await is_silent(Liveness(tmp_path / "socket", "localhost", LIMIT), 2 * LIMIT)
    assert await is_silent(Liveness(tmp_path / "socket", "localhost", LIMIT, start_seconds=LIMIT), 5)


async def test_time_of_a_stopped_prober_does_not_count(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(100)
        life = Liveness(tmp_path / "socket", "localhost", LIMIT, start_seconds=LIMIT)
        watching = asyncio.create_task(life.watch())
        await asyncio.sleep(0.2)
        time.sleep(3 * LIMIT)  # noqa: ASYNC251 - as if the whole program had been stopped
        await asyncio.sleep(0.2)
        assert not watching.done()
        await watching


async def test_an_application_without_the_services_is_an_error_with_the_remedy(tmp_path: Path) -> None:
    """Channels' usual application answers /readyz as Django does: it is not found."""

    async def not_found(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await says(b"HTTP/1.1 404 Not Found\r\n\r\n", writer)

    async with process(tmp_path / "web.sock", not_found):
        status, problem = await liveness.read_readiness(tmp_path / "web.sock", "localhost")
    assert (status, problem) == (
        404,
        "/readyz is not found: make the application by hubbub.asgi.application",
    )


async def test_an_answer_to_another_probe_ends_the_time_of_the_start(tmp_path: Path) -> None:
    life = Liveness(tmp_path / "frozen.sock", "localhost", LIMIT, start_seconds=60)
    assert not await is_silent(life)
    life.note_answer()
    assert life.answered.is_set()
    assert await is_silent(life)
