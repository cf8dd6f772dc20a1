"""HTTP as the wire of a connection: a stream of server-sent events, and a POST for each command. See docs/http.md."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote, urlencode
from weakref import WeakValueDictionary

import msgspec

from hubbub.client.endings import ABNORMAL
from hubbub.client.events import Event, EventReader
from hubbub.client.http_opening import OpenStreams
from hubbub.client.http_response import Response
from hubbub.client.observer import Frame
from hubbub.client.requests import Requests
from hubbub.client.timing import ANSWER_SECONDS, CLOSE_SECONDS, LATE_SECONDS, POST_SECONDS, SILENCE_SECONDS
from hubbub.client.wire import WireClosed, WireRefused
from hubbub.protocol import ErrorCode, from_json, read_frame, to_json

STREAM = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
COMMAND = {"Accept": "application/json", "Content-Type": "application/json"}
MAX_ERROR_BYTES = 64 * 1024
MAX_POSTING = 8
MOMENT_SECONDS = 0.02

# As those of the server: an id fits into a header.
MAX_ID_BYTES = 4096
ENTRY_BYTES = 64
MAX_TOPICS = 50


class HttpOpening:
    """Opens wires to one address, one after another.

    Args:
        url: such as `https://chat.example.org/live/`.
        token: of the header Authorization; empty: none.
        open_streams: opens a connection.
    """

    def __init__(self, url: str, token: str, open_streams: OpenStreams) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._open_streams = open_streams
        self._max_topics = MAX_TOPICS

    async def __call__(self, joins: Sequence[Frame]) -> "HttpWire":
        """Open a stream that joins these topics, or the first of them. Raises WireRefused, OSError."""
        requests = Requests(self._url, self._headers, self._open_streams)
        joined = joins[: _fitting(joins, self._max_topics)]
        headers = dict(STREAM)
        if last_id := _id_of(joined):
            headers["Last-Event-ID"] = last_id
        query = urlencode([("topic", join["topic"]) for join in joined])
        try:
            response, _ = await requests.stream("events" + (f"?{query}" if query else ""), headers)
            if response.status != 200:
                error = _error_of(await response.body(MAX_ERROR_BYTES))
                if error is not None and error["code"] == ErrorCode.TOO_MANY and joined:
                    self._max_topics = 0  # The site has a lower limit: they are joined one by one.
                raise WireRefused(response.status, response.headers.get("retry-after"), error)
            if response.headers.get("content-type", "").partition(";")[0].strip().lower() != "text/event-stream":
                raise WireRefused(404)
        except BaseException:
            requests.abort()
            raise
        return HttpWire(requests, response, len(joined))


class HttpWire:
    """See `Wire`.

    Args:
        requests: to the address.
        response: whose body is the stream.
        joined: the topics of the stream's address.
    """

    is_pinged: bool = False
    answer_seconds: float | None = ANSWER_SECONDS

    def __init__(self, requests: Requests, response: Response, joined: int) -> None:
        self.joined = joined
        self._requests = requests
        self._parts = response.parts()
        self._events = EventReader()
        self._waiting: deque[Event] = deque()
        self._silence_seconds: float | None = None
        self._target = "command"
        self._posting = asyncio.Semaphore(MAX_POSTING)
        # Commands without an answer: their time limits, with what is set when they have ended.
        self._under_way: dict[asyncio.Timeout, asyncio.Future[None]] = {}
        # By topic: its commands take effect in their order, so each waits for the answer of the one before.
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def receive(self) -> str:
        while not self._waiting:
            try:
                self._waiting += self._events.take(await self._read())
            except (OSError, ValueError) as error:
                self.abort()
                raise WireClosed(ABNORMAL, str(error)) from None
        event = self._waiting.popleft()
        if event.kind == "close":
            if self._under_way:  # Their answers come by themselves, also from a process that ends.
                await asyncio.wait([*self._under_way.values()], timeout=CLOSE_SECONDS)
            self.abort()
            raise _closed(event.data)
        return event.data

    async def send(self, text: str, topic: str) -> str | None:
        lane = self._lanes.setdefault(topic, asyncio.Lock())
        try:
            async with asyncio.timeout(None) as scope:
                response, body = await self._post(text, lane, scope)
        except OSError as error:  # TimeoutError is one.
            self.abort()
            raise WireClosed(ABNORMAL, str(error)) from None
        return None if response.status == 202 else self._answer(from_json(text)["ref"], response, body)

    def greeted(self, hello: Frame) -> None:
        self._silence_seconds = hello["heartbeat_ms"] / 1000 + SILENCE_SECONDS
        self._target = f"command?{urlencode({'stream': hello.get('stream', '')})}"

    async def close(self) -> None:
        self.abort()

    def abort(self) -> None:
        self._requests.abort()
        for scope in self._under_way:
            if not scope.expired():
                scope.reschedule(0.0)

    @property
    def unsent_bytes(self) -> int:
        return self._requests.unsent_bytes

    async def _read(self) -> bytes:
        """The next part of the stream. Raises TimeoutError: it was silent for too long, and so is dead."""
        loop = asyncio.get_running_loop()
        reading = asyncio.ensure_future(anext(self._parts, b""))
        try:
            while not reading.done():
                began = loop.time()
                await asyncio.wait([reading], timeout=self._silence_seconds)
                if reading.done():
                    break
                is_late = loop.time() > began + (self._silence_seconds or 0.0) + LATE_SECONDS
                # Bytes may have arrived in the very moment that the timer was due.
                if not (is_late or (await asyncio.wait([reading], timeout=MOMENT_SECONDS))[0]):
                    raise TimeoutError("the stream is silent")
            if not (part := reading.result()):
                raise ConnectionResetError("the stream has ended")
            return part
        finally:
            if not reading.done():
                reading.cancel()
                await asyncio.wait([reading])

    async def _post(self, text: str, lane: asyncio.Lock, scope: asyncio.Timeout) -> tuple[Response, bytes]:
        """Wait for the turn of a command, and post it. `abort` ends the scope."""
        ended = self._under_way[scope] = asyncio.get_running_loop().create_future()
        try:
            async with lane, self._posting:
                scope.reschedule(asyncio.get_running_loop().time() + POST_SECONDS)
                return await self._requests.post(self._target, COMMAND, text.encode())
        finally:
            del self._under_way[scope]
            ended.set_result(None)

    def _answer(self, ref: Any, response: Response, body: bytes) -> str:
        """The answer as a frame. Raises WireClosed: it is none of the server."""
        if response.status == 200:
            return body.decode(errors="replace")
        error = _error_of(body)
        if error is None and response.status == 413:
            error = {"type": "error", "code": ErrorCode.TOO_LONG, "detail": "the command is longer than a proxy takes"}
        if error is None or response.status == 401:
            # Of a proxy; or the token has ended, and the next stream says how.
            self.abort()
            raise WireClosed(ABNORMAL, f"the server answered HTTP {response.status}")
        seconds = response.headers.get("retry-after", "")
        if response.status == 429 and seconds.isdecimal() and error.get("retry_after_ms") is None:
            error["retry_after_ms"] = int(seconds[:6]) * 1000
        return to_json({**error, "ref": ref}).decode()


def _closed(data: str) -> WireClosed:
    try:
        close = read_frame(data)
        return WireClosed(int(close["code"]), str(close.get("reason", "")))
    except (msgspec.MsgspecError, KeyError, TypeError, ValueError):
        return WireClosed(ABNORMAL, "a close without a code")


def _error_of(body: bytes) -> Frame | None:
    """The error of the server; None: the answer is of something else, such as a proxy."""
    try:
        frame = read_frame(body)
    except (msgspec.MsgspecError, RecursionError):
        return None
    is_error = frame.get("type") == "error" and isinstance(frame.get("code"), str)
    return {"detail": "", **frame} if is_error else None


def _fitting(joins: Sequence[Frame], limit: int) -> int:
    """The number of joins whose positions fit into one id."""
    size = 0
    for number, join in enumerate(joins[:limit]):
        size += len(_quoted(join["topic"])) + ENTRY_BYTES
        if size > MAX_ID_BYTES:
            return number
    return min(len(joins), limit)


def _id_of(joins: Sequence[Frame]) -> str:
    """The positions from which topics are resumed, as the id of a stream."""
    known = [join for join in joins if join.get("epoch") is not None]
    return ",".join(f"{_quoted(join['topic'])}:{_quoted(join['epoch'])}:{join['after']}" for join in known)


def _quoted(text: str) -> str:
    return quote(text, safe="/")
