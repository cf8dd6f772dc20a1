"""The frames of a socket: receive, send, close."""

import asyncio
from typing import Any, NoReturn

import msgspec
from channels.consumer import AsyncConsumer

from hubbub import conf
from hubbub.auth.identity import Identity
from hubbub.consumers.commands import AnyCommandQueue
from hubbub.delivery.outbox import DRAIN, Outbox
from hubbub.limits.token_buckets import Strikes
from hubbub.process.metrics import COUNTERS
from hubbub.process.security_log import Kind, address_of, log_event
from hubbub.protocol import CloseCode, Command, Error, ErrorCode, Refused, encode, error_text

BAD_FRAMES_SECONDS = 10.0
FINISH_SECONDS = 4.5  # For commands in flight when a socket closes; a command has four.


class Disconnected(Exception):
    """The client disconnected, or the socket is closing."""


class Socket(AsyncConsumer):  # type: ignore[misc]
    """The base of `Consumer`. Knows no groups and no features."""

    scope: dict[str, Any]
    connection: str
    outbox: Outbox
    identity: Identity
    counted_as: str  # By the limits on commands: the user id, or the network of a visitor.
    _tunables: conf.Hubbub
    _receive: Any
    _bad_frames: Strikes | None
    _commands: AnyCommandQueue | None
    _tasks: "list[asyncio.Task[None]]"

    def send_frame(self, frame: msgspec.Struct | str) -> None:
        """Queue one frame for this socket."""
        self.outbox.put(frame if isinstance(frame, str) else encode(frame))

    def _refuse(self, command: Command | None, refused: Refused) -> None:
        ref = command.ref if command is not None else None
        self.send_frame(error_text(ref, refused))

    async def _next_text(self) -> str | None:
        """The next text frame; None for a binary frame, which has been answered. Raises Disconnected."""
        message = await self._receive()
        if message["type"] == DRAIN:
            await self._drain()
        if message["type"] != "websocket.receive" or self.outbox.is_closing:
            raise Disconnected
        COUNTERS.frames_in += 1
        text: str | None = message.get("text")
        if text is None:
            self._count_bad_frame()
            self.send_frame(Error(code=ErrorCode.INVALID, detail="binary frames are not accepted; send text"))
        elif len(text) > self._tunables.frame_bytes or len(text.encode()) > self._tunables.frame_bytes:
            COUNTERS.limited["frame_bytes"] += 1
            await self._end(CloseCode.FRAME_TOO_BIG, "Frame too big")
        return text

    def _count_bad_frame(self) -> None:
        COUNTERS.bad_frames += 1
        self._bad_frames = self._bad_frames or Strikes(self._tunables.bad_frames, BAD_FRAMES_SECONDS)
        if self._bad_frames.add():
            user = self.identity.user_id if hasattr(self, "identity") else None
            log_event(Kind.PROTOCOL_ABUSE, address=address_of(self.scope), user=user, connection=self.connection)
            self.outbox.close(CloseCode.ABUSE, "Protocol abuse")

    async def _end(self, code: int, reason: str) -> NoReturn:
        """Close after the queued frames, wait for the client to disconnect, and raise Disconnected."""
        self.outbox.close(code, reason)
        while (await self._receive())["type"] != "websocket.disconnect":
            pass
        raise Disconnected

    async def _drain(self) -> NoReturn:
        """The process shuts down: answer the commands in flight, and close so that the client reconnects elsewhere."""
        if self._commands is not None:
            await self._commands.finish(FINISH_SECONDS)
        await self._end(CloseCode.RESTART, "Restart")
