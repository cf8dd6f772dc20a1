"""A recording client of a topic: joins, reconnects and resumes by docs/protocol.md, and repeats unanswered commands.

It keeps every frame with its time.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from random import Random
from types import TracebackType
from typing import Any, Generic, Self

from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed, InvalidHandshake

from chaos.answers import Answers, SocketLost
from chaos.connecting import Address, open_socket
from chaos.log import Answer, AnyView, End, Log, Recovery, Sent
from chaos.view import Breach, Frame
from hubbub.protocol import Auth, CloseCode, ErrorCode, Ping, encode, read_frame, to_json

# As in our pages.
HELLO_SECONDS = 12.0
PONG_SECONDS = 8.0
STEADY_SECONDS = 5.0
BACK_OFF_SECONDS = 0.5
MAX_BACK_OFF_SECONDS = 20.0

ABNORMAL = 1006  # RFC 6455, 7.1.5: no close frame came.


class TopicRecorder(Generic[AnyView]):
    """One client of one topic of kind `log`, by access token or session cookie. Connected while its context is entered.

    Args:
        name: of the client, for reports.
        path: of the endpoint.
        topic: the address of the topic.
        view: gets the frames of the topic.
        addresses: called at each attempt: after a failed attempt the next address is used.
    """

    def __init__(
        self,
        name: str,
        path: str,
        topic: str,
        view: AnyView,
        addresses: Callable[[], Sequence[Address]],
        *,
        token: str = "",
        cookie: str = "",
        random: Random | None = None,
        keeps_frames: bool = True,
    ) -> None:
        self.log = Log(name, view)
        self.topic = topic
        self.hello: Frame = {}
        # The close code that forbids reconnecting, if one was received.
        self.evicted: int | None = None
        self._path = path
        self._addresses = addresses
        self._token = token
        self._cookie = cookie
        self._keeps_frames = keeps_frames
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing
        self._socket: ClientConnection | None = None
        self._answers = Answers()
        self._failures = 0
        self._admitted = asyncio.Event()
        self._joined = asyncio.Event()
        self._heard = asyncio.Event()
        self._joining: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    @property
    def is_joined(self) -> bool:
        return self._joined.is_set()

    async def wait_until_joined(self, seconds: float = HELLO_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            await self._joined.wait()

    async def wait_for_position(self, position: int, seconds: float) -> None:
        """Wait until the client has reached `position`. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.is_joined or (self.log.view.position or 0) < position:
                self._heard.clear()
                await self._heard.wait()

    def cut(self) -> None:
        """Abort the connection without a close frame, as a broken network does."""
        if self._socket is not None:
            self._socket.transport.abort()

    # Commands

    async def send(self, kind: str, **arguments: Any) -> Sent:
        """Send a command until it is answered. If cancelled, the log keeps it as unanswered."""
        sent = Sent(kind, time.monotonic(), arguments)
        self.log.sent.append(sent)
        for tries in itertools.count():
            await self._admitted.wait()
            started = time.monotonic()
            answer = None
            with suppress(SocketLost):
                answer = await self.request(kind, **arguments)
            now = time.monotonic()
            sent.answers.append(Answer(now - started, answer))
            if answer is not None and not _is_retryable(answer):
                sent.answered_at = now
                break
            if answer is not None:
                await asyncio.sleep(max(answer.get("retry_after_ms", 0) / 1000, 0.5) + self._back_off(tries))
        return sent

    async def request(self, kind: str, **arguments: Any) -> Frame:
        """Send a command of the topic once and return its answer. Raises SocketLost."""
        if self._socket is None or not self._admitted.is_set():
            raise SocketLost
        ref, answer = self._answers.expect()
        try:
            await self._socket.send(to_json({"type": kind, "ref": ref, "topic": self.topic, **arguments}).decode())
        except ConnectionClosed:
            # A retry waits for the next socket instead of using this one again at once.
            self._admitted.clear()
            self._answers.drop(ref)
            raise SocketLost from None
        return await answer

    def ids_in(self, frame: Frame) -> Iterable[str]:
        """The ids of the things in an event, or in the answer to a join: their arrival is noted."""
        return ()

    # The socket

    async def _stay(self) -> None:
        """Connect and reconnect until cancelled or evicted."""
        lost: End | None = None
        tries = 0
        while self.evicted is None:
            admitted_at = None
            code, reason = ABNORMAL, ""
            try:
                async with asyncio.timeout(HELLO_SECONDS) as overdue:
                    self._socket = await self._open()
                    await self._admit(self._socket)
                    overdue.reschedule(None)
                    admitted_at = time.monotonic()
                    await self._listen(self._socket, lost)
            except ConnectionClosed as closed:
                if closed.rcvd is not None:
                    code, reason = closed.rcvd.code, closed.rcvd.reason
            except (OSError, InvalidHandshake, TimeoutError) as error:
                reason = repr(error)
            finally:
                joined = self._drop_socket()
            if admitted_at is None:
                self._failures += 1
            end = End(time.monotonic(), code, reason, joined)
            self.log.ends.append(end)
            if joined:
                lost = end
            if 4000 <= code < 4100:
                self.evicted = code
                return
            if admitted_at and (code == CloseCode.RESTART or time.monotonic() - admitted_at >= STEADY_SECONDS):
                tries = 0
            await asyncio.sleep(self._back_off(tries))
            tries += 1

    async def _open(self) -> ClientConnection:
        addresses = self._addresses()
        return await open_socket(addresses[self._failures % len(addresses)], self._path, self._cookie)

    async def _admit(self, socket: ClientConnection) -> None:
        while True:
            frame = self._take(await socket.recv())
            if frame["type"] == "auth.required":
                await socket.send(encode(Auth(self._token)))
            elif frame["type"] == "hello":
                self.hello = frame
                self._admitted.set()
                return

    async def _listen(self, socket: ClientConnection, lost: End | None) -> None:
        self._joining = asyncio.create_task(self._join(lost))
        heartbeat = self.hello["heartbeat_ms"] / 1000
        while True:
            try:
                async with asyncio.timeout(heartbeat):
                    text = await socket.recv()
            except TimeoutError:
                await socket.send(encode(Ping(ref=self._answers.next_ref())))
                async with asyncio.timeout(PONG_SECONDS):
                    text = await socket.recv()
            self._receive(self._take(text))

    async def _join(self, lost: End | None) -> None:
        """Join, and retry while the server is busy. `_receive` applies the answer, in order with the events."""
        view = self.log.view
        for tries in itertools.count():
            try:
                answer = await self.request("join", after=view.position, epoch=view.epoch)
            except SocketLost:
                return
            if answer.get("partial"):
                continue
            if answer["type"] == "ok":
                break
            if not _is_retryable(answer):
                view.closed = answer["code"]
                return
            await asyncio.sleep(0.5 + self._back_off(tries))
        if lost is not None:
            self.log.recoveries.append(Recovery(lost, time.monotonic()))
        self._joined.set()
        self._heard.set()

    def _take(self, text: str | bytes) -> Frame:
        frame = read_frame(text)
        if self._keeps_frames:
            self.log.frames.append((time.monotonic(), frame))
        return frame

    def _receive(self, frame: Frame) -> None:
        view = self.log.view
        if frame["type"] in ("ok", "error"):
            if not self._answers.take(frame):
                self.log.breaches.append(Breach("duplicated", f"an unexpected or second answer: {frame}"))
            if "epoch" in frame:
                # Applied here, before the events that follow it.
                view.joined(frame)
                self._note_arrivals(frame)
        elif frame.get("topic") == self.topic:
            view.take(frame)
            self._note_arrivals(frame)
        self._heard.set()

    def _note_arrivals(self, frame: Frame) -> None:
        for thing in self.ids_in(frame):
            self.log.arrivals.setdefault(thing, time.monotonic())

    def _drop_socket(self) -> bool:
        """Drop the socket. True: the topic was joined on it."""
        if self._joining is not None:
            self._joining.cancel()
            self._joining = None
        if self._socket is not None:
            self._socket.transport.abort()
            self._socket = None
        joined = self._joined.is_set()
        self._joined.clear()
        self._admitted.clear()
        self.log.view.left()
        self._answers.fail()
        return joined

    def _back_off(self, tries: int) -> float:
        return self._random.random() * min(BACK_OFF_SECONDS * 2.0**tries, MAX_BACK_OFF_SECONDS)


def _is_retryable(answer: Frame) -> bool:
    return answer.get("code") == ErrorCode.UNAVAILABLE or "retry_after_ms" in answer
