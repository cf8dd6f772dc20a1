"""The recording client against a server that is no more than it needs."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError

from chaos.connecting import Address
from chaos.recording import Recorder
from hubbub.protocol import read_frame

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
