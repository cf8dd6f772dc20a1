"""Streams with clients that do not read, or go; and what is left of them."""

import asyncio
from typing import Any

import pytest

from hubbub.asgi.doors.stream import Stream
from hubbub.asgi.doors.streams import BATCH_SECONDS, MIN_BATCH, Streams
from hubbub.process import draining
from hubbub.process.metrics import COUNTERS
from hubbub.runtime import runtime
from tests.support.door_request import Doors, note, page_of
from tests.support.hubs import until
from tests.support.polls.topics import BoardTopic

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]

PLAN = "board/plan"


@pytest.fixture
async def page(alice: Any, served: None) -> Doors:
    return await page_of(alice, BoardTopic)


async def test_a_comment_and_an_event_are_written_one_after_the_other(page: Doors) -> None:
    """Two writers at a time would wait for each other on our server, and the stream would be silent for ever."""
    async with page.stream(PLAN) as stream:
        await stream.frame("ok", ref=0)
        await stream.until(lambda: stream.ids)
        stream.reads.clear()
        live = _only_stream()
        for _ in range(3):
            live.beat()
            await asyncio.sleep(0.01)
        await note("plan", "one")
        await asyncio.sleep(0.05)
        stream.reads.set()
        await stream.frame("noted", text="one")
        assert stream.body.count(b":\n\n") <= 2


async def test_streams_that_do_not_read_keep_no_comment_from_the_others(
    page: Doors, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HUBBUB = settings.HUBBUB | {"HEARTBEAT_SECONDS": 1}
    async with page.stream() as stuck, page.stream() as other:
        for stream in (stuck, other):
            await stream.frame("hello")
        stuck.reads.clear()
        async with asyncio.timeout(4):
            while other.body.count(b"\n:\n\n") < 2:
                await asyncio.sleep(0.05)


async def test_a_client_that_never_reads_ends_with_its_outbox(page: Doors, settings: Any) -> None:
    """Also where `send` waits for ever, as on uvicorn: nothing of the stream is left."""
    settings.HUBBUB = settings.HUBBUB | {"OUTBOX_BYTES": 64 * 1024}
    before = (COUNTERS.sockets, COUNTERS.streams)
    request = page.begin("GET", f"/live/events?topic={PLAN}")
    await request.frame("ok", ref=0)
    request.reads.clear()
    for number in range(10):
        await note("plan", f"{number} {'x' * 10_000}")
    await request.ended()
    assert (COUNTERS.sockets, COUNTERS.streams) == before
    assert not runtime().hub.streams


async def test_the_streams_of_a_process_end_one_part_after_the_other(hub: Any) -> None:
    drained: list[str] = []

    class Idle:
        def __init__(self, name: str) -> None:
            self.name = name

        def take(self, user_id: str, text: str) -> None: ...

        def beat(self) -> None: ...

        def drain(self) -> None:
            drained.append(self.name)

    all_streams = Streams()
    streams = [Idle(str(number)) for number in range(3 * MIN_BATCH)]
    for stream in streams:
        all_streams.add(stream)
    try:
        all_streams._drain()
        await asyncio.sleep(0)
        await asyncio.sleep(BATCH_SECONDS / 2)
        assert len(drained) == MIN_BATCH
        await until(lambda: drained == [stream.name for stream in streams])
    finally:
        draining._callbacks.remove(all_streams._drain)
        for stream in streams:
            all_streams.remove(stream)


async def test_a_write_that_fails_ends_the_stream(page: Doors, caplog: pytest.LogCaptureFixture) -> None:
    async with page.stream(PLAN) as stream:
        await stream.frame("ok", ref=0)
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(Stream, "_wrote", _fails)
            await note("plan", "one")
            await stream.ended()
        assert stream.is_complete
        assert "http: an answer failed" in caplog.text
    assert not runtime().hub.streams


@pytest.mark.parametrize("reads", [True, False])
@pytest.mark.parametrize("path", [f"events?topic={PLAN}", f"state?topic={PLAN}"])
@pytest.mark.parametrize("turns", range(0, 12, 2))
async def test_a_client_that_goes_at_any_moment_leaves_nothing(page: Doors, path: str, turns: int, reads: bool) -> None:
    before = (COUNTERS.sockets, COUNTERS.streams)
    request = page.begin("GET", f"/live/{path}")
    if not reads:
        request.reads.clear()
    for _ in range(turns):
        await asyncio.sleep(0.004)
    request.goes()
    await request.ended()
    assert (COUNTERS.sockets, COUNTERS.streams) == before
    assert not runtime().hub.streams
    await until(lambda: not runtime().hub.groups)


async def test_a_client_that_does_not_read_holds_no_drain(page: Doors) -> None:
    before = (COUNTERS.sockets, COUNTERS.streams)
    request = page.begin("GET", f"/live/events?topic={PLAN}")
    await request.frame("ok", ref=0)
    request.reads.clear()
    await note("plan", "one")
    _only_stream().drain()
    await request.ended()
    assert (COUNTERS.sockets, COUNTERS.streams) == before
    assert not runtime().hub.streams


def _only_stream() -> Stream:
    (take,) = runtime().hub.streams.values()
    found: Stream = take.__self__  # type: ignore[attr-defined]
    return found


async def _fails(self: Stream, texts: list[str]) -> None:
    raise RuntimeError("broken")
