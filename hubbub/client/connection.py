"""Connection: one socket of a client, from its opening to its end. Knows frames and answers, but no topics."""

import asyncio
import itertools
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import msgspec

from hubbub.client.errors import ConnectionEnded, ConnectionLost
from hubbub.client.observer import Frame, Observer
from hubbub.client.timing import CLOSE_SECONDS, LATE_SECONDS, PONG_SECONDS
from hubbub.process.extras import missing
from hubbub.protocol import VERSION, Auth, CloseCode, Error, ErrorCode, Refused, encode, read_frame, to_json

if (line := missing("client", "websockets", "hubbub.client")) is not None:
    raise ImportError(line)
from websockets.asyncio.client import ClientConnection as ClientConnection
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed as ConnectionClosed
from websockets.exceptions import InvalidHandshake as InvalidHandshake
from websockets.exceptions import InvalidStatus as InvalidStatus

NO_ANSWER = "the connection was lost before the answer"
MAX_FRAME_BYTES = 8 << 20  # A site may set its largest frame to 4 MiB.

Apply = Callable[[Frame, int], None]


class BadFrame(Exception):
    """A frame that breaks the protocol: the client gives the connection up."""


class Due(NamedTuple):
    """A command without an answer. `size`: of its frame, in bytes."""

    answer: "asyncio.Future[Frame | None]"
    size: int
    apply: Apply | None


class ExactAddress(connect):
    """Follows no redirect: the other address would get the token."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


def check_url(url: str) -> None:
    """Raises ValueError: not the address of an endpoint."""
    parts = urlsplit(url)
    if parts.scheme not in ("ws", "wss"):
        raise ValueError(f"{url!r} is no address of an endpoint: it begins with wss:// or ws://")
    if not parts.hostname:
        raise ValueError(f"{url!r} names no host")
    if parts.fragment or parts.username is not None:
        raise ValueError("the address of an endpoint has no user name and no fragment")
    _ = parts.port  # Raises ValueError if it is no port.


async def open_socket(url: str) -> ClientConnection:
    """Open a WebSocket to `url`."""
    options: dict[str, Any] = {
        "compression": None,
        "max_size": MAX_FRAME_BYTES,
        # The protocol has its own `ping`.
        "ping_interval": None,
        "open_timeout": None,
        "close_timeout": CLOSE_SECONDS,
    }
    return await ExactAddress(url, **options)


class Connection:
    """A socket that was opened.

    Args:
        socket: the WebSocket.
        observer: sees all frames.

    Attributes:
        hello: the first frame after the sign-in.
        heartbeat_seconds: of silence before a ping, as `hello` says.
        refusal: the last error that answers no command: the reason of the close that follows.
    """

    def __init__(self, socket: ClientConnection, observer: Observer) -> None:
        self.hello: Frame = {}
        self.heartbeat_seconds = 0.0
        self.refusal: Frame | None = None
        self._socket = socket
        self._observer = observer
        self._refs = itertools.count(1)
        self._due: dict[Any, Due] = {}
        self._is_open = True
        self._heard = asyncio.Event()
        self._heard_at = 0.0

    async def admit(self, token: str) -> None:
        """Sign in by the token, and wait for `hello`."""
        while not self.hello:
            frame, _ = await self._read()
            match frame["type"]:
                case "auth.required":
                    await self._socket.send(encode(Auth(token)))
                case "error":
                    self.refusal = frame
                case "hello":
                    self._greet(frame)

    def _greet(self, frame: Frame) -> None:
        heartbeat = frame.get("heartbeat_ms")
        if not isinstance(heartbeat, int) or heartbeat <= 0:
            raise BadFrame("hello without heartbeat_ms")
        if (version := frame.get("protocol", VERSION)) != VERSION:
            raise ConnectionEnded(0, f"the server speaks protocol {version}, this client protocol {VERSION}")
        self.hello, self.heartbeat_seconds = frame, heartbeat / 1000

    async def run(self, receive: Apply) -> None:
        """Read until the end of the socket: answers go to their commands, events to `receive`, with their size."""
        watching = asyncio.create_task(self._watch(self.heartbeat_seconds))
        watching.add_done_callback(self._watched)
        try:
            while True:
                frame, size = await self._read()
                try:
                    if frame["type"] in ("ok", "error", "pong"):
                        self._answer(frame, size)
                    else:
                        receive(frame, size)
                except (KeyError, TypeError, msgspec.MsgspecError) as error:
                    raise BadFrame(f"{frame['type']}: {error!r}") from error
        finally:
            watching.cancel()
            await asyncio.wait([watching])
            if not watching.cancelled():
                watching.result()  # Raises the error of an observer.

    async def request(self, command: Frame, apply: Apply | None = None) -> Frame:
        """Send a command once and return its answer.

        Args:
            command: without a `ref`.
            apply: gets the answer, if it is no refusal, before the next frame is read.

        Raises:
            Refused: the answer is an error, or the command is longer than the server takes.
            ConnectionLost: the socket ended before the answer.
        """
        ref = next(self._refs)
        frame = {**command, "ref": ref}
        text = to_json(frame)
        if len(text) > self.hello.get("limits", {}).get("frame_bytes", len(text)):
            raise too_long()
        if not self._is_open:
            raise ConnectionLost(NO_ANSWER)
        due = self._due[ref] = Due(asyncio.get_running_loop().create_future(), len(text), apply)
        try:
            self._observer.sent(frame)
            await self._socket.send(text.decode())
            answer = await due.answer
        except ConnectionClosed:
            answer = None
        finally:
            self._due.pop(ref, None)
        if answer is None:
            raise ConnectionLost(NO_ANSWER)
        if answer["type"] == "error":
            raise Refused(answer["code"], answer["detail"], retry_after_ms=answer.get("retry_after_ms"))
        return answer

    def end(self, code: int) -> None:
        """The socket has ended: fail the commands without an answer."""
        self._is_open = False
        if code == CloseCode.FRAME_TOO_BIG and self._due:
            # The longest was too long. Sent again, it would end the next connection.
            longest = max(self._due.values(), key=lambda due: due.size)
            if not longest.answer.done():
                error = too_long()
                longest.answer.set_result(
                    {"type": "error", "code": error.code, "detail": error.detail, "retry_after_ms": None}
                )
        for due in self._due.values():
            if not due.answer.done():
                due.answer.set_result(None)
        self._socket.transport.abort()

    async def close(self) -> None:
        """Close the socket because the client has no use for it any more."""
        await self._socket.close()

    async def _read(self) -> tuple[Frame, int]:
        text = await self._socket.recv()
        try:
            frame = read_frame(text)
        except (msgspec.MsgspecError, RecursionError) as error:
            raise BadFrame("no JSON object") from error
        if not isinstance(frame.get("type"), str):
            raise BadFrame("a frame without a type")
        self._heard_at = asyncio.get_running_loop().time()
        self._heard.set()
        self._observer.received(frame)
        return frame, len(text)

    def _answer(self, frame: Frame, size: int) -> None:
        if frame["type"] == "error" and "ref" not in frame:
            self.refusal = frame
        if frame["type"] == "error":
            msgspec.convert(frame, Error)  # Raises ValidationError.
        due = self._due.get(frame.get("ref"))
        if due is None or due.answer.done():
            return  # The caller was cancelled, or it answers a heartbeat.
        if due.apply is not None and frame["type"] == "ok":
            due.apply(frame, size)
        due.answer.set_result(frame)

    # Heartbeat

    async def _watch(self, silence_seconds: float) -> None:
        """Ping a silent server, until the socket is dead."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, self._heard_at + silence_seconds - loop.time()))
            if loop.time() >= self._heard_at + silence_seconds and await self._is_dead():
                return

    def _watched(self, task: "asyncio.Task[None]") -> None:
        if not task.cancelled():
            self._socket.transport.abort()

    async def _is_dead(self) -> bool:
        """Ping once. Whether nothing came, although the program was not stopped and no bytes were leaving."""
        loop = asyncio.get_running_loop()
        due_at, unsent = loop.time() + PONG_SECONDS, 0
        self._heard.clear()
        try:
            async with asyncio.timeout_at(due_at):
                ping = {"type": "ping", "ref": next(self._refs)}
                self._observer.sent(ping)
                sending = self._socket.send(to_json(ping).decode())
                unsent = self._unsent_bytes
                await sending
                await self._heard.wait()
        except TimeoutError:
            is_late = loop.time() > due_at + LATE_SECONDS
            return not (is_late or self._unsent_bytes < unsent)
        except ConnectionClosed:
            pass
        return False

    @property
    def _unsent_bytes(self) -> int:
        return self._socket.transport.get_write_buffer_size()


def too_long() -> Refused:
    """The refusal of a command that does not fit into a frame."""
    return Refused(ErrorCode.TOO_LONG, "the command is longer than the server takes")
