"""A stream of server-sent events: the frames of a socket, and after each write an id to resume by.

An id covers what was written before it. A client that resumes may get some events twice, and drops them by position.
The outbox is the only writer: two at a time would wait for each other.
"""

import asyncio
import functools
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, NamedTuple

from django.core.exceptions import BadRequest, SuspiciousOperation
from django.db import Error as DatabaseError

from hubbub.asgi.doors.answers import Header, Problem, Send, start
from hubbub.asgi.doors.stream_topics import StreamTopics
from hubbub.asgi.doors.streams import streams
from hubbub.asgi.doors.virtual_socket import Application, Envelope, Receive, VirtualSocket, envelope_of
from hubbub.delivery.asgi_outbox import AsgiOutbox, Direct
from hubbub.delivery.frames import Frames
from hubbub.delivery.outbox import DRAIN
from hubbub.protocol import ErrorCode, Refused, error_text, from_json, to_json

HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back.
]
COMMENT = b":\n\n"
# Frames of which a stream has to do more than note their position.
NO_EVENTS = ("ok", "error", "closed", "hello")
# Commands that came by POST and were not read yet.
MAX_WAITING = 64
# Of the name of a stream, a secret: a visitor who knows it may send its joins and leaves.
NAME_BYTES = 16

# Makes the token for requests of a page, and the headers that set its cookie.
MakeToken = Callable[[], Awaitable[tuple[str, list[Header]]]]


class Shared(NamedTuple):
    """Frames as a part of the stream, without an id, and those of their envelopes that move the positions."""

    body: bytes
    moving: Sequence[Envelope]


@functools.lru_cache(16)
def shared_by_all(frames: Frames) -> Shared | None:
    """Frames of a group, encoded once for all streams of the process; None: some are no events."""
    envelopes = [block_of(text) for text in frames.texts]
    if any(frame.type in NO_EVENTS for _, frame in envelopes):
        return None
    # In a write of events of one topic the last position counts.
    moving = [frame for _, frame in envelopes if isinstance(frame.position, int)]
    if len({(str(frame.type), str(frame.topic)) for frame in moving}) == 1:
        del moving[:-1]
    return Shared(b"".join(block for block, _ in envelopes), moving)


@functools.lru_cache(64)
def block_of(text: str) -> tuple[bytes, Envelope]:
    """A frame as a block of the stream, and its envelope: made once for all streams of the process."""
    return b"data: " + text.encode() + b"\n\n", envelope_of(text)


class StreamOutbox(AsgiOutbox):
    """Writes all waiting frames at once.

    `write_now` writes shared frames at once, without the writer task; False: they have to wait.
    """

    def __init__(self, send: Send, abort: Callable[[], object], write_now: Callable[[Frames], bool]) -> None:
        super().__init__(send, abort)
        self._write_now = write_now
        self._is_sending = False
        self._has_comment = False

    def put_frames(self, frames: Frames, latest: str | None = None) -> None:
        is_idle = not self._is_sending and not self._wake.is_set() and self._closing is None
        if not (is_idle and self._write_now(frames)):
            super().put_frames(frames, latest)

    def comment(self) -> None:
        """Write a comment, once there is room."""
        self._has_comment = True
        self._wake.set()

    async def _send_all(self) -> None:
        self._is_sending = True
        while self._frames or self._latest:
            texts = [text for text, _ in self._frames]
            size = sum(size for _, size in self._frames)
            self._frames.clear()
            texts += self._latest.values()
            self._latest.clear()
            await self._send({"type": "hubbub.frames", "texts": texts})
            self._sent(size)
        if self._has_comment:
            self._has_comment = False
            await self._send({"type": "hubbub.comment"})
        self._is_sending = False


class Stream(VirtualSocket):
    """One stream.

    Args:
        topics: the topics of the address, which are joined at once, and their positions.
        is_for_stream: whether a command that came by a POST is one for streams.
        make_token: for requests of a page; None: it has no use for a token.
        direct: writes past `send`; None: the server has no way to.
    """

    def __init__(
        self,
        consumer: Application,
        receive: Receive,
        send: Send,
        topics: StreamTopics,
        is_for_stream: Callable[[Envelope], bool],
        make_token: MakeToken | None,
        direct: Direct | None = None,
    ) -> None:
        super().__init__(consumer, receive, send)
        self._topics = topics
        self._is_for_stream = is_for_stream
        self._make_token = make_token
        self._direct = direct
        self._outbox: StreamOutbox | None = None
        self.name = ""
        self._user_id = ""
        self._has_written = False

    async def run(self, scope: dict[str, Any]) -> None:
        try:
            await super().run(scope)
        finally:
            streams().remove(self)

    def make_outbox(self, send: Send, abort: Callable[[], object]) -> StreamOutbox:
        """Make the outbox of the consumer."""
        self._outbox = StreamOutbox(send, abort, self.write_now)
        return self._outbox

    def take(self, user_id: str, text: str) -> None:
        """Run a command of this stream's user, which came by a POST; its answer comes over the stream.

        It may come from Redis, so others are dropped: nobody there writes in the name of a user.
        """
        frame = envelope_of(text)
        if user_id != self._user_id or self.is_over or self._outbox is None or not self._is_for_stream(frame):
            return
        if not isinstance(frame.ref, int | str) or not isinstance(frame.topic, str):
            return
        if frame.type == "join" and not self._topics.has_room_for(frame.topic):
            full = Refused(ErrorCode.TOO_MANY, "too many topics for one stream: leave one first")
            self._outbox.put(error_text(frame.ref, full))
        elif self._inbox.qsize() >= MAX_WAITING:
            wait = Refused(ErrorCode.RATE_LIMITED, "too many commands wait for this stream", retry_after_ms=1000)
            self._outbox.put(error_text(frame.ref, wait))
        else:
            self._topics.asked(frame)
            self.put(text)

    def drain(self) -> None:
        """This process ends: the client comes back elsewhere."""
        self._inbox.put_nowait({"type": DRAIN})

    def beat(self) -> None:
        """If nothing was written since the last beat, write a comment, by which a client knows that it is alive."""
        if self._outbox is not None and not self._has_written:
            self._outbox.comment()
        self._has_written = False

    # Frames of the consumer

    async def welcomed(self, text: str) -> None:
        hello = from_json(text)
        headers = [*HEADERS]
        if self._make_token is not None:
            try:
                hello["csrf"], cookies = await self._make_token()
            except (Refused, DatabaseError, BadRequest, SuspiciousOperation):  # Or the session has just ended.
                self._problem = Problem(ErrorCode.UNAVAILABLE, "the session cannot be read; try again")
                self.end()
                return
            headers += cookies
        self.name = hello["stream"] = secrets.token_urlsafe(NAME_BYTES)
        self._user_id = hello["user"]["id"] or ""
        self.is_started = True
        streams().add(self)
        await start(self._send_http, 200, headers)
        await self._write(b"data: " + to_json(hello) + b"\n\n")
        for number in self._topics.numbers:
            self._join(number)

    async def framed(self, text: str) -> None:
        await self._wrote([text])

    async def _take(self, message: dict[str, Any]) -> None:
        if message["type"] == "hubbub.comment":
            await self._write(COMMENT)
            return
        if message["type"] != "hubbub.frames":
            await super()._take(message)
            return
        texts = message["texts"]
        while texts and not self._is_welcome:
            await super()._take({"type": "websocket.send", "text": texts.pop(0)})
        if texts:
            await self._wrote(texts)

    async def _wrote(self, texts: list[str]) -> None:
        """Write frames, and the positions that the client has with them."""
        blocks, moved = [], False
        for text in texts:
            block, frame = block_of(text)
            if (wait := self._topics.retry_after_ms(frame)) is not None:
                asyncio.get_running_loop().call_later(wait / 1000, self._join_again, frame.ref)
                continue
            blocks.append(block)
            moved = self._topics.note(frame) or moved
            if self._topics.is_part(frame):
                self._join(frame.ref)
        if moved:
            blocks.append(self._topics.id_block())
        if blocks:
            await self._write(b"".join(blocks))

    def write_now(self, frames: Frames) -> bool:
        """Write events, and the positions with them. Returns False if they have to wait, or are more than events.

        The hot path of streams: it runs for each delivery.
        """
        direct = self._direct
        if direct is None or not self.is_started or self.is_over or not direct.is_clear():
            return False
        if (shared := shared_by_all(frames)) is None:
            return False
        has_moved = False
        for frame in shared.moving:
            has_moved = self._topics.moved(frame) or has_moved
        self._has_written = True
        direct.write_now(shared.body + self._topics.id_block() if has_moved else shared.body)
        return True

    async def closed(self, code: int, reason: str) -> None:
        await self._write(b"event: close\ndata: " + to_json({"code": code, "reason": reason}) + b"\n\n")

    async def _finish(self) -> None:
        if self.is_started:
            await self._send_http({"type": "http.response.body", "body": b""})
        else:
            await super()._finish()

    def _join(self, number: int) -> None:
        self.put(to_json(self._topics.join(number)).decode())

    def _join_again(self, number: int) -> None:
        if not self.is_over and self._topics.is_joining(number):
            self._join(number)

    async def _write(self, body: bytes) -> None:
        if self.is_started and not self.is_over:
            self._has_written = True
            await self._send_http({"type": "http.response.body", "body": body, "more_body": True})
