"""Pings, pongs and parts of messages: no consumer sees them, and they are bounded all the same."""

import asyncio
import time
from collections.abc import Iterator

import psutil
import pytest

from tests.support.raw_client import CLOSE, CONTINUATION, PING, PONG, TEXT, Raw, frame, opened
from tests.support.servers import DEFAULT_LIMITS, Server, Site
from tests.support.stats import note
from tests.support.stuck_client import MIB

pytestmark = pytest.mark.cluster

FLOOD = 50_000
NOISE_BYTES = 8 * MIB
PINGS = 300_000  # Answers of 40 MB.
PING_SECONDS = 1.0

FLOODS = {
    "pings": frame(PING, b"x") * FLOOD,
    "pongs that nobody asked for": frame(PONG, b"") * FLOOD,
    "a message that never ends": frame(TEXT, b"", first=0) + frame(CONTINUATION, b"", first=0) * FLOOD,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("partial"))


@pytest.fixture(scope="module")
def cookie(site: Site) -> str:
    return site.make_user("alice")["cookie"]


async def slowest_ping(raw: Raw, until: "asyncio.Task[int]") -> float:
    slowest = 0.0
    while not until.done():
        began = time.monotonic()
        raw.send(frame(TEXT, b'{"type": "ping", "ref": 1}'))
        assert await raw.frame() == (TEXT, b'{"type":"pong","ref":1}')
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.02)
    return slowest


@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS.keys())
async def test_a_flood_of_frames_that_are_no_whole_message_is_closed_with_4102(
    site: Site, cookie: str, flood: bytes
) -> None:
    with site.serving("hubbub", 1, **DEFAULT_LIMITS) as (server,):
        async with opened(server, cookie) as neighbour, opened(server, cookie) as raw:
            closing = asyncio.create_task(raw.close_code())
            raw.send(flood)
            slowest = await slowest_ping(neighbour, closing)
            note("the neighbour's pings", slowest)
            assert closing.result() == 4102
            assert slowest < PING_SECONDS
        log = server.log.read_text()
        assert "Traceback" not in log
        assert log.count("flood_closed address=127.0.0.1") == 1


async def test_a_socket_within_the_limit_is_answered(site: Site, cookie: str) -> None:
    with site.serving("hubbub", 1, **DEFAULT_LIMITS) as (server,):
        async with opened(server, cookie) as raw:
            raw.send(frame(PING, b"are you there?") * 100)
            assert [await raw.frame() for _ in range(100)] == [(PONG, b"are you there?")] * 100
            parts = [frame(CONTINUATION, b" ", first=0) for _ in range(90)]
            raw.send(frame(TEXT, b'{"type": "ping"', first=0), *parts, frame(CONTINUATION, b', "ref": 1}'))
            assert await raw.frame() == (TEXT, b'{"type":"pong","ref":1}')


@pytest.fixture
def patient(site: Site) -> Iterator[Server]:
    """One that would take any number of pings."""
    with site.serving("hubbub", 1, HUBBUB_PARTIAL_FRAMES_BURST="1000000") as (server,):
        yield server


async def test_no_pongs_are_kept_for_a_client_that_never_reads(patient: Server, cookie: str) -> None:
    process = psutil.Process(patient.process.pid)
    async with opened(patient, cookie) as neighbour, opened(patient, cookie) as raw:
        raw.writer.transport.pause_reading()
        before = process.memory_info().rss
        most = 0
        for _ in range(100):
            raw.send(frame(PING, b"x" * 125) * (PINGS // 100))
            await raw.writer.drain()
            most = max(most, process.memory_info().rss - before)
        neighbour.send(frame(TEXT, b'{"type": "ping", "ref": 1}'))
        assert await neighbour.frame() == (TEXT, b'{"type":"pong","ref":1}')
        most = max(most, process.memory_info().rss - before)
        note("memory grown, MiB", most / MIB)
        assert most < NOISE_BYTES
        # It reads again: there are answers, to some.
        raw.writer.transport.resume_reading()
        assert (await raw.frame())[0] in (PONG, CLOSE)
