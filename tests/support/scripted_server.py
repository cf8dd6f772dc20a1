"""A server that plays a script: for each connection a conversation, in the order of connections."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from hubbub.protocol import from_json, to_json

Frame = dict[str, Any]
SECONDS = 5.0
TOPIC = "room/lounge"
EPOCH = "e1"


class Peer:
    """The server's side of a connection."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.commands: list[Frame] = []

    async def send(self, frame: Frame | str | bytes) -> None:
        await self.socket.send(to_json(frame).decode() if isinstance(frame, dict) else frame)

    async def admit(self, token: str = "hub_x", **hello: Any) -> None:
        """Ask for the token, and say hello."""
        await self.send({"type": "auth.required", "within_ms": 5000})
        async with asyncio.timeout(SECONDS):
            assert from_json(await self.socket.recv()) == {"type": "auth", "token": token}
        await self.hello(**hello)

    async def hello(self, **fields: Any) -> None:
        user = {"id": "7", "name": "alice"}
        limits = {"frame_bytes": 65_536}
        frame = {"protocol": 2, "connection": "web-1:1", "user": user, "state": "ok", "heartbeat_ms": 20_000}
        await self.send({"type": "hello", **frame, "limits": limits, **fields})

    async def command(self, kind: str) -> Frame:
        """The next command, which must be of this type."""
        async with asyncio.timeout(SECONDS):
            frame: Frame = from_json(await self.socket.recv())
        assert frame["type"] == kind, frame
        self.commands.append(frame)
        return frame

    async def answer(self, command: Frame, **fields: Any) -> None:
        await self.send({"type": "ok", "ref": command["ref"], "topic": command["topic"], **fields})

    async def refuse(self, command: Frame, code: str, detail: str = "no", **fields: Any) -> None:
        await self.send({"type": "error", "ref": command["ref"], "code": code, "detail": detail, **fields})

    async def joined(self, position: int = 0, state: Any = None, epoch: str = EPOCH, **fields: Any) -> Frame:
        """Take a join, and answer it with a state. Returns the join."""
        join = await self.command("join")
        await self.answer(join, epoch=epoch, position=position, complete=False, state=state, **fields)
        return join

    async def resumed(self, position: int, *positions: int, epoch: str = EPOCH, **fields: Any) -> Frame:
        """Take a join, and answer it with events. Returns the join."""
        join = await self.command("join")
        events = [event(number, join["topic"]) for number in positions]
        await self.answer(join, epoch=epoch, position=position, complete=True, events=events, **fields)
        return join

    async def events(self, *positions: int, topic: str = TOPIC) -> None:
        for position in positions:
            await self.send(event(position, topic))

    async def silent(self, seconds: float) -> None:
        """Wait so long; the client must send nothing."""
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.socket.recv()

    async def gone(self) -> list[Frame]:
        """Wait until the client has gone. Returns the commands that it sent until then."""
        frames = []
        try:
            async with asyncio.timeout(SECONDS):
                while True:
                    frames.append(from_json(await self.socket.recv()))
        except ConnectionClosed:
            return frames

    def cut(self) -> None:
        self.socket.transport.abort()


def event(position: int, topic: str = TOPIC, text: str = "") -> Frame:
    return {"type": "said", "topic": topic, "position": position, "text": text or f"number {position}"}


Conversation = Callable[[Peer], Awaitable[None]]


@asynccontextmanager
async def scripted(*conversations: Conversation, **options: Any) -> AsyncIterator[str]:
    """A server with one conversation for each connection. Yields its URL. `options`: of `serve`."""
    left = list(conversations)
    errors: list[BaseException] = []

    async def talk(socket: ServerConnection) -> None:
        try:
            assert left, "the client connected once more"
            await left.pop(0)(Peer(socket))
        except BaseException as error:  # noqa: BLE001 - raised below
            errors.append(error)
            socket.transport.abort()

    async with serve(talk, "127.0.0.1", 0, ping_interval=None, **options) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/ws/chat/"
    if errors:
        raise errors[0]
    assert not left, f"{len(left)} conversations were not had"
