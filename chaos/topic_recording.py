"""A recording client of a topic: `hubbub.client`, with every frame, and commands that are repeated until answered.

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
from weakref import WeakSet

from websockets.asyncio.client import ClientConnection

from chaos.connecting import Address, open_socket, open_streams
from chaos.log import Answer, AnyView, End, Log, Recovery, Sent
from chaos.view import Breach, Frame
from hubbub.client import Client, ConnectionEnded, Observer, Refused, TopicClosed
from hubbub.protocol import ErrorCode

# As in our pages.
HELLO_SECONDS = 12.0
MIN_RETRY_SECONDS = 0.5
MAX_BACK_OFF_SECONDS = 20.0

LIVE = "http://localhost/live/"  # The host is that of an address.

BUFFER_BYTES = 1 << 30  # All frames: what is left out and read again would look like a repetition.


class TopicRecorder(Observer, Generic[AnyView]):
    """One client of one topic of kind `log`, by access token or session cookie. Connected while its context is entered.

    The view gets the frames as they arrive, and not what the client makes of them: that is compared with them.

    Args:
        name: of the client, for reports.
        path: of the endpoint.
        topic: the address of the topic.
        view: gets the frames of the topic.
        addresses: called at each attempt: after a failed attempt the next address is used.
        http: by server-sent events and POST, with a token, instead of a WebSocket at `path`.
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
        http: bool = False,
    ) -> None:
        self.log = Log(name, view)
        self.topic = topic
        self.hello: Frame = {}
        # The close code that forbids reconnecting, if one was received.
        self.evicted: int | None = None
        self._path = path
        self.addresses = addresses
        self._cookie = cookie
        self._keeps_frames = keeps_frames
        self._random = random or Random()  # noqa: S311 - spreads load, guards nothing
        self._client = Client(
            LIVE if http else f"ws://{name}{path}",
            token=token,
            connect=self._open_streams if http else self._open,
            observer=self,
            buffer_bytes=BUFFER_BYTES,
            # A join after an outage would bring what the server has failed to repair.
            refreshes=False,
            random=self._random,
        )
        self._is_http = http
        # Of the present sockets: of HTTP there are several.
        self.transports: WeakSet[asyncio.WriteTransport] = WeakSet()
        self._is_open = False
        self._due: set[int] = set()
        self._lost: End | None = None
        self._failures = 0
        self._admitted = asyncio.Event()
        self._joined = asyncio.Event()
        self._heard = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._stay())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        self._task.cancel()
        self.cut()  # A frozen server would answer no close frame.
        with suppress(asyncio.CancelledError):
            await self._task

    @property
    def is_joined(self) -> bool:
        return self._joined.is_set()

    async def wait_until_joined(self, seconds: float = HELLO_SECONDS) -> None:
        async with asyncio.timeout(seconds):
            await self._joined.wait()

    def has_reached(self, position: int) -> bool:
        """Whether the topic is joined, and the user of the client has all up to `position`."""
        return self.is_joined and (self.log.view.position or 0) >= position and not self.log.handing_out.due

    async def wait_for_position(self, position: int, seconds: float) -> None:
        """Wait until the client has reached `position`. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not self.has_reached(position):
                self._heard.clear()
                await self._heard.wait()

    def cut(self) -> None:
        """Abort the connection without a close frame, as a broken network does."""
        for transport in [*self.transports]:
            transport.abort()

    # Commands

    async def send(self, kind: str, **arguments: Any) -> Sent:
        """Send a command until it is answered. If cancelled, the log keeps it as unanswered."""
        sent = Sent(kind, time.monotonic(), arguments)
        self.log.sent.append(sent)
        for tries in itertools.count():
            await self._admitted.wait()
            started = time.monotonic()
            answer = await self._request(kind, arguments)
            now = time.monotonic()
            sent.answers.append(Answer(now - started, answer))
            if answer is not None and not _is_retryable(answer):
                sent.answered_at = now
                break
            if answer is not None:
                longest = min(MIN_RETRY_SECONDS * 2.0**tries, MAX_BACK_OFF_SECONDS)
                asked = (answer.get("retry_after_ms") or 0) / 1000
                await asyncio.sleep(max(asked, MIN_RETRY_SECONDS) + self._random.random() * longest)
        return sent

    def ids_in(self, frame: Frame) -> Iterable[str]:
        """The ids of the things in an event, or in the answer to a join: their arrival is noted."""
        return ()

    async def _request(self, kind: str, arguments: Frame) -> Frame | None:
        """Send a command of the topic once, and return its answer. None: the socket was lost first."""
        try:
            result = await self._client.send(self.topic, kind, retry=False, **arguments)
        except Refused as refused:
            retry = {} if refused.retry_after_ms is None else {"retry_after_ms": refused.retry_after_ms}
            return {"type": "error", "code": refused.code, "detail": refused.detail, **retry}
        except ConnectionError:
            self._admitted.clear()  # A retry waits for the next socket.
            return None
        return {"type": "ok", "topic": self.topic, "result": result or {}}

    # The client

    async def _stay(self) -> None:
        """Stay connected until cancelled or evicted, and compare what the client hands out."""
        with suppress(ConnectionEnded):
            async with self._client as hub:
                try:
                    async for event in hub.topic(self.topic):
                        if (breach := self.log.handing_out.handed_out(event)) is not None:
                            self.log.breaches.append(breach)
                        self._heard.set()
                except TopicClosed as closed:
                    self.log.view.closed = closed.code
                await asyncio.Event().wait()

    async def _open(self, url: str) -> ClientConnection:
        socket = await open_socket(self._address, self._path, self._cookie)
        self.transports.add(socket.transport)
        return socket

    async def _open_streams(self, url: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await open_streams(self._address)
        self.transports.add(writer.transport)
        return reader, writer

    @property
    def _address(self) -> Address:
        addresses = self.addresses()
        return addresses[self._failures % len(addresses)]

    def sent(self, frame: Frame) -> None:
        self._due.add(frame["ref"])

    def received(self, frame: Frame) -> None:
        if self._keeps_frames:
            self.log.frames.append((time.monotonic(), frame))
        if frame["type"] == "hello":
            self.hello = frame
            self._is_open = True
            self._admitted.set()
        elif not self._is_open:
            return
        elif frame["type"] in ("ok", "error", "pong"):
            self._answered(frame)
        elif frame.get("topic") == self.topic:
            self.log.view.take(frame)
            if self.log.view.is_live:
                self.log.handing_out.arrived(frame)
            self._note_arrivals(frame)
        self._heard.set()

    def ended(self, code: int, reason: str) -> None:
        end = End(time.monotonic(), code, reason, self.is_joined)
        self.log.ends.append(end)
        self.log.view.left()
        if self.is_joined:
            self._lost = end
        if not self._is_open:
            self._failures += 1
        self._is_open = False
        self._joined.clear()
        self._admitted.clear()
        self._due.clear()
        self.transports.clear()
        if 4000 <= code < 4100:
            self.evicted = code

    def _answered(self, frame: Frame) -> None:
        if frame.get("ref") not in self._due:
            self.log.breaches.append(Breach("duplicated", f"an unexpected or second answer: {frame}"))
        if not (self._is_http and frame.get("partial")):  # A stream asks for the next part by itself.
            self._due.discard(frame.get("ref", 0))
        if "epoch" not in frame:
            return
        self.log.view.joined(frame)
        self.log.handing_out.joined(frame)
        self._note_arrivals(frame)
        if not frame.get("partial"):
            if self._lost is not None:
                self.log.recoveries.append(Recovery(self._lost, time.monotonic()))
                self._lost = None
            self._joined.set()

    def _note_arrivals(self, frame: Frame) -> None:
        for thing in self.ids_in(frame):
            self.log.arrivals.setdefault(thing, time.monotonic())


def _is_retryable(answer: Frame) -> bool:
    return answer.get("code") == ErrorCode.UNAVAILABLE or "retry_after_ms" in answer
