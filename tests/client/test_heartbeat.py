"""A silent server is pinged; a dead connection is given up, a slow one is not. And the times between connections."""

import asyncio
import time
from contextlib import suppress
from random import Random

import pytest
from websockets.exceptions import ConnectionClosed

from hubbub.client import connection, endings, timing
from hubbub.protocol import from_json
from tests.support.scripted_server import SECONDS, TOPIC, Frame, Peer, scripted
from tests.support.scripted_topics import client

POSTS = 30


# Heartbeat


async def test_a_silent_server_is_pinged_and_one_that_answers_is_kept() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=20)
        for _ in range(3):
            ping = await peer.command("ping")
            await peer.send({"type": "pong", "ref": ping["ref"]})
        pinged.set()
        await peer.gone()

    pinged = asyncio.Event()

    async with scripted(conversation) as url, client(url) as hub:
        async with asyncio.timeout(SECONDS):
            await pinged.wait()
        assert hub.is_connected


async def test_a_server_without_a_pong_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PONG_SECONDS", 0.1)

    async def dead(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=20)
        await peer.joined(1)
        await peer.command("ping")
        assert await peer.gone() == []

    async def back(peer: Peer) -> None:
        await peer.admit()
        assert (await peer.resumed(2, 2))["after"] == 1
        await peer.gone()

    async with scripted(dead, back) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        async with asyncio.timeout(SECONDS):
            assert [(await anext(room))["position"] for _ in range(2)] == [1, 2]


async def answer_pings(peer: Peer, seconds: float = 0) -> None:
    with suppress(ConnectionClosed):
        while True:
            frame = from_json(await peer.socket.recv())
            await asyncio.sleep(seconds)
            await peer.send({"type": "pong", "ref": frame["ref"]})


async def test_a_program_that_was_stopped_for_a_while_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its timers are due before it has read what arrived meanwhile."""
    monkeypatch.setattr(connection, "PONG_SECONDS", 0.05)
    monkeypatch.setattr(connection, "LATE_SECONDS", 0.02)

    async def conversation(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=10)
        await answer_pings(peer, 0.015)

    async with scripted(conversation) as url, client(url) as hub:
        for pause in range(6):
            await asyncio.sleep(pause * 0.005)  # Before and after a ping.
            time.sleep(0.1)  # noqa: ASYNC251 - that is the point
        await asyncio.sleep(0.05)
        assert hub.is_connected


@pytest.mark.slow
async def test_a_link_on_which_bytes_still_leave_is_slow_and_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    # More than the kernel's buffers need to empty.
    monkeypatch.setattr(connection, "PONG_SECONDS", 1.2)

    async def slow(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=20, limits={"frame_bytes": 1 << 20})
        posts: list[Frame] = []
        while len(posts) < POSTS:
            frame = from_json(await peer.socket.recv())
            if frame["type"] == "message.post":
                posts.append(frame)
                await asyncio.sleep(0.1)
        for post in posts:
            await peer.answer(post)
        await answer_pings(peer)

    options = {"max_queue": 1, "max_size": None}
    async with scripted(slow, **options) as url, client(url) as hub, asyncio.timeout(30):
        posts = (hub.send(TOPIC, "message.post", id=str(number), body="x" * 900_000) for number in range(POSTS))
        assert await asyncio.gather(*posts) == [None] * POSTS


# Times


def test_the_back_off_doubles_up_to_20_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    class Longest(Random):
        def random(self) -> float:
            return 1.0

    waits = [timing.back_off(tries, Longest()) for tries in (0, 1, 2, 5, 6, 1000)]
    assert waits == [0.5, 1.0, 2.0, 16.0, 20.0, 20.0]
    assert all(0 <= timing.back_off(3, Random(seed)) <= 4 for seed in range(50))


def test_the_back_off_starts_anew_after_five_seconds_or_a_restart() -> None:
    def is_fresh(code: int, seconds: float) -> bool:
        return endings.by_close(code, "", None, seconds).is_fresh

    assert [is_fresh(1006, seconds) for seconds in (-1, 0, 4.9, 5)] == [False, False, False, True]
    assert [is_fresh(1012, seconds) for seconds in (-1, 0)] == [False, True]


def test_the_client_waits_as_long_as_the_server_asks() -> None:
    refusal = {"type": "error", "code": "rate_limited", "detail": "slowly", "retry_after_ms": 9_000}
    assert endings.by_close(4102, "", refusal, 1).calm_seconds == 9
    assert endings.by_close(4102, "", None, 1).calm_seconds == 5
    assert endings.by_close(4103, "", {**refusal, "retry_after_ms": 10**9}, 1).calm_seconds == 600
    assert endings.by_close(1006, "", None, 1).calm_seconds == 0
    assert endings.by_status(503, "5", is_first=True).calm_seconds == 5
    assert endings.by_status(503, "Fri, 27 Nov 2026 23:00:00 GMT", is_first=True).calm_seconds == 0
