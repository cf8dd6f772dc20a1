"""Connection: one wire of a client, from its opening to its end. Knows frames and answers, but no topics."""

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from hubbub.client.errors import ConnectionEnded, ConnectionLost
from hubbub.client.observer import Frame, Observer
from hubbub.client.timing import LATE_SECONDS, PONG_SECONDS
from hubbub.client.wire import Wire, WireClosed
from hubbub.protocol import VERSION, Auth, CloseCode, Error, ErrorCode, Refused, encode, read_frame, to_json

NO_ANSWER = "the connection was lost before the answer"

Apply = Callable[[Frame, int], None]
Join = tuple[Frame, Apply]


class BadFrame(Exception):
    """A frame that breaks the protocol: the client gives the connection up."""


class Due(NamedTuple):
    """A command without an answer. `size`: of its frame, in bytes. `goes_on`: partial answers come before the last."""

    answer: "asyncio.Future[Frame | None]"
    size: int
    apply: Apply | None
    goes_on: bool = False


class Connection:
    """A wire that was opened.

    Args:
        wire: a WebSocket, or HTTP.
        observer: sees all frames.
        joins: those that opening the wire has sent.

    Attributes:
        hello: the first frame after the sign-in.
        heartbeat_seconds: of silence before a ping, as `hello` says.
        refusal: the last error that answers no command: the reason of the close that follows.
    """

    def __init__(self, wire: Wire, observer: Observer, joins: Sequence[Join] = ()) -> None:
        self.hello: Frame = {}
        self.heartbeat_seconds = 0.0
        self.refusal: Frame | None = None
        self._wire = wire
        self._observer = observer
        self._refs = itertools.count(max(1, len(joins)))
        self._due: dict[Any, Due] = {}
        # By topic: the answers to the joins of the opening, until they are asked for.
        self._joins: dict[str, Due] = {}
        self._is_open = True
        self._heard = asyncio.Event()
        self._heard_at = 0.0
        for ref, (join, apply) in enumerate(joins):
            due = Due(asyncio.get_running_loop().create_future(), 0, apply, goes_on=True)
            self._due[ref] = self._joins[join["topic"]] = due
            observer.sent({**join, "ref": ref})

    async def admit(self, token: str) -> None:
        """Sign in by the token, and wait for `hello`."""
        while not self.hello:
            frame, _ = await self._read()
            match frame["type"]:
                case "auth.required":
                    await self._wire.send(encode(Auth(token)), "")
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
        self._wire.greeted(frame)

    async def run(self, receive: Apply) -> None:
        """Read until the end of the wire: answers go to their commands, events to `receive`, with their size."""
        watching = asyncio.create_task(self._watch(self.heartbeat_seconds))
        watching.add_done_callback(self._watched)
        try:
            while True:
                self._take(*await self._read(), receive)
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
            ConnectionLost: the wire ended before the answer.
        """
        if command["type"] == "join" and (joined := self._joins.pop(command["topic"], None)) is not None:
            return _result_of(await joined.answer)
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
            if (answered := await self._wire.send(text.decode(), command.get("topic", ""))) is not None:
                self._take(*self._decoded(answered))
            async with asyncio.timeout(self._wire.answer_seconds):
                answer = await due.answer
        except (WireClosed, TimeoutError, BadFrame):
            self._wire.abort()
            answer = None
        finally:
            self._due.pop(ref, None)
        return _result_of(answer)

    def end(self, code: int) -> None:
        """The wire has ended: fail the commands without an answer."""
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
        self._wire.abort()

    async def close(self) -> None:
        """Close the wire because the client has no use for it any more."""
        await self._wire.close()

    async def _read(self) -> tuple[Frame, int]:
        return self._decoded(await self._wire.receive())

    def _decoded(self, text: str | bytes) -> tuple[Frame, int]:
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

    def _take(self, frame: Frame, size: int, receive: Apply | None = None) -> None:
        """Handle a frame. Without `receive` it can only be an answer."""
        try:
            if frame["type"] in ("ok", "error", "pong"):
                self._answer(frame, size)
            elif receive is not None:
                receive(frame, size)
        except (KeyError, TypeError, msgspec.MsgspecError) as error:
            raise BadFrame(f"{frame['type']}: {error!r}") from error

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
        if not (due.goes_on and frame.get("partial")):
            due.answer.set_result(frame)

    # Heartbeat

    async def _watch(self, silence_seconds: float) -> None:
        """Ping a silent server, until the wire is dead."""
        loop = asyncio.get_running_loop()
        while self._wire.is_pinged:
            await asyncio.sleep(max(0.0, self._heard_at + silence_seconds - loop.time()))
            if loop.time() >= self._heard_at + silence_seconds and await self._is_dead():
                return

    def _watched(self, task: "asyncio.Task[None]") -> None:
        if self._wire.is_pinged and not task.cancelled():
            self._wire.abort()

    async def _is_dead(self) -> bool:
        """Ping once. Whether nothing came, although the program was not stopped and no bytes were leaving."""
        loop = asyncio.get_running_loop()
        due_at, unsent = loop.time() + PONG_SECONDS, 0
        self._heard.clear()
        try:
            async with asyncio.timeout_at(due_at):
                ping = {"type": "ping", "ref": next(self._refs)}
                self._observer.sent(ping)
                sending = self._wire.send(to_json(ping).decode(), "")
                unsent = self._wire.unsent_bytes
                await sending
                await self._heard.wait()
        except TimeoutError:
            is_late = loop.time() > due_at + LATE_SECONDS
            return not (is_late or self._wire.unsent_bytes < unsent)
        except WireClosed:
            pass
        return False


def _result_of(answer: Frame | None) -> Frame:
    """The answer, if it is no refusal. Raises Refused, ConnectionLost."""
    if answer is None:
        raise ConnectionLost(NO_ANSWER)
    if answer["type"] == "error":
        raise Refused(answer["code"], answer["detail"], retry_after_ms=answer.get("retry_after_ms"))
    return answer


def too_long() -> Refused:
    """The refusal of a command that does not fit into a frame."""
    return Refused(ErrorCode.TOO_LONG, "the command is longer than the server takes")
