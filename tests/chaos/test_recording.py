"""The recording client against a server that is no more than it needs."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from chaos.checking import check
from chaos.connecting import Address
from chaos.log import Log
from chaos.recording import Recorder
from chaos.room_view import RoomView
from hubbub.client.feed import Feed
from hubbub.protocol import read_frame, to_json
from tests.support.rooms import EPOCH, event, record, row, state

HELLO = '{"type": "hello", "heartbeat_ms": 20000}'
ROOM = '"epoch": "e", "position": 0, "complete": false, "state": {"messages": [], "more": false}'
POSTED = '"result": {"seq": 1, "position": 1, "at": "2026-01-01T00:00:00Z"}'


async def answer(socket: ServerConnection) -> None:
    await socket.send(HELLO)
    with suppress(ConnectionClosedError):
        async for text in socket:
            frame: dict[str, Any] = read_frame(text)
            assert frame["topic"] == "room/lounge"
            what = ROOM if frame["type"] == "join" else POSTED
            await socket.send(f'{{"type": "ok", "ref": {frame["ref"]}, "topic": "room/lounge", {what}}}')


@pytest.mark.slow
@pytest.mark.parametrize("turns", range(4))
async def test_a_post_on_a_socket_that_was_cut_just_now_goes_out_on_the_next_one(turns: int) -> None:
    async with serve(answer, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Recorder("alice", "lounge", lambda: [Address(f"http://127.0.0.1:{port}")], cookie="x") as alice:
            await alice.wait_until_joined()
            alice.cut()
            # The recorder hears of the cut some turns of the event loop later.
            for _ in range(turns):
                await asyncio.sleep(0)
            async with asyncio.timeout(10):
                sent = await alice.post("hello")
            assert sent.ok
            await alice.wait_until_joined()
            assert len(sent.answers) <= 2
            assert len(alice.log.recoveries) == 1


async def talk(socket: ServerConnection) -> None:
    """Three messages, and after each answer to a join the rest."""
    await socket.send(HELLO)
    with suppress(ConnectionClosedError):
        async for text in socket:
            frame: dict[str, Any] = read_frame(text)
            await socket.send(f'{{"type": "ok", "ref": {frame["ref"]}, "topic": "room/lounge", {ROOM}}}')
            for position in (1, 2, 3):
                await socket.send(to_json(event(position, state(position))).decode())


def skip_one(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Feed._take
    monkeypatch.setattr(Feed, "_take", lambda self, one, size: one["position"] == 2 or take(self, one, size))


def repeat_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    put = Feed._put

    def twice(self: Feed, one: dict[str, Any], size: int) -> None:
        for _ in range(2 if one["position"] == 3 else 1):
            put(self, one, size)

    monkeypatch.setattr(Feed, "_put", twice)


def lose_the_last(monkeypatch: pytest.MonkeyPatch) -> None:
    take = Feed._take
    monkeypatch.setattr(Feed, "_take", lambda self, one, size: one["position"] == 3 or take(self, one, size))


@pytest.mark.parametrize(
    ("plant", "kinds"),
    [
        (None, []),
        (skip_one, ["disordered", "lost"]),
        (repeat_the_last, ["invented"]),
        (lose_the_last, ["lost"]),
    ],
)
async def test_what_the_client_hands_out_is_compared_with_the_frames(
    plant: Callable[[pytest.MonkeyPatch], None] | None, kinds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    if plant is not None:
        plant(monkeypatch)
    async with serve(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with Recorder("alice", "lounge", lambda: [Address(f"http://127.0.0.1:{port}")], cookie="x") as alice:
            with suppress(TimeoutError):
                await alice.wait_for_position(3, 0.5)
            log = alice.log
    assert log.view.position == 3
    report = check(record(*(row(seq) for seq in (1, 2, 3))), [whole(log)], are_all_senders=False)
    assert [breach.kind for breach in report.breaches] == kinds


def whole(log: Log[RoomView]) -> Log[RoomView]:
    """The log as it was before its socket was closed, in the epoch of the record."""
    log.view.is_live, log.view.epoch = True, EPOCH
    return log
