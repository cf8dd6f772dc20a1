"""A stream of server-sent events: the frames of a socket, and after each write an id to resume by.

An id covers what was written before it. A client that resumes may get some events twice, and drops them by position.
"""

import asyncio
import functools
from typing import Any

import msgspec

from hubbub.asgi.doors import positions
from hubbub.asgi.doors.answers import Header, Send, start
from hubbub.asgi.doors.streams import streams
from hubbub.asgi.doors.virtual_socket import Application, Envelope, Receive, VirtualSocket, envelope_of
from hubbub.delivery.asgi_outbox import AsgiOutbox
from hubbub.delivery.outbox import DRAIN
from hubbub.protocol import ErrorCode, Refused, error_text, from_json, to_json

HEADERS: list[Header] = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back.
]
COMMENT = b":\n\n"
# Joins of topics that are busy: so often, then the client is told.
MAX_RETRIES = 5
# Commands that came by POST and were not read yet.
MAX_WAITING = 64


@functools.lru_cache(64)
def block_of(text: str) -> tuple[bytes, Envelope]:
    """A frame as a block of the stream, and its envelope: made once for all streams of the process."""
    return b"data: " + text.encode() + b"\n\n", envelope_of(text)


class StreamOutbox(AsgiOutbox):
    """Writes all waiting frames at once."""

    async def _send_all(self) -> None:
        while self._frames or self._latest:
            texts = [text for text, _ in self._frames]
            size = sum(size for _, size in self._frames)
            self._frames.clear()
            texts += self._latest.values()
            self._latest.clear()
            await self._send({"type": "hubbub.frames", "texts": texts})
            self._sent(size)


class Stream(VirtualSocket):
    """One stream.

    Args:
        topics: of the address, joined at once.
        resume: the positions that the client has reached.
        csrf: the token for its requests, and the headers that set its cookie; None: it has no use for one.
    """

    def __init__(
        self,
        consumer: Application,
        receive: Receive,
        send: Send,
        topics: list[str],
        resume: positions.Positions,
        csrf: tuple[str, list[Header]] | None,
    ) -> None:
        super().__init__(consumer, receive, send)
        self._topics = topics
        self._resume = resume
        self._csrf = csrf
        self._retries = [0] * len(topics)
        # What was written of each joined topic.
        self._positions: dict[str, tuple[str, int]] = {}
        self._writing: set[asyncio.Task[None]] = set()
        self._is_blocked = False
        self.name = ""
        self._user_id = ""
        self.has_written = False

    async def run(self, scope: dict[str, Any]) -> None:
        try:
            await super().run(scope)
        finally:
            streams().remove(self)

    def take(self, user_id: str, text: str) -> None:
        """Run a command of this stream's user, which came by a POST; its answer comes over the stream."""
        if user_id != self._user_id or self.is_over:
            return
        try:
            frame = envelope_of(text)
        except msgspec.MsgspecError:
            frame = Envelope("")  # The consumer answers it.
        if frame.type == "join" and not positions.fits({*self._positions, frame.topic}):
            self._refuse(frame.ref, Refused(ErrorCode.TOO_MANY, "too many topics for one stream: leave one first"))
        elif self._inbox.qsize() >= MAX_WAITING:
            wait = Refused(ErrorCode.RATE_LIMITED, "too many commands wait for this stream", retry_after_ms=1000)
            self._refuse(frame.ref, wait)
        else:
            self.put(text)

    def _refuse(self, ref: Any, refused: Refused) -> None:
        task = asyncio.create_task(self.wrote([error_text(ref, refused)]))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    def drain(self) -> None:
        """This process ends: the client comes back elsewhere."""
        self._inbox.put_nowait({"type": DRAIN})

    async def beat(self) -> None:
        """Write a comment, by which a client knows that the stream is alive."""
        if self.is_started and not self.is_over and not self._is_blocked:
            await self._write(COMMENT)

    # Frames of the consumer

    async def welcomed(self, text: str) -> None:
        hello = from_json(text)
        self.name = hello["connection"]
        self._user_id = hello["user"]["id"] or ""
        headers = [*HEADERS]
        if self._csrf is not None:
            hello["csrf"], cookies = self._csrf
            headers += cookies
        self.is_started = True
        await start(self._send_http, 200, headers)
        await self._write(b"data: " + to_json(hello) + b"\n\n")
        streams().add(self)
        for number, topic in enumerate(self._topics):
            epoch, position = self._resume.get(topic, (None, None))
            self._join(number, position, epoch)

    async def framed(self, text: str) -> None:
        await self.wrote([text])

    async def _send(self, message: dict[str, Any]) -> None:
        if message["type"] != "hubbub.frames":
            await super()._send(message)
            return
        texts = message["texts"]
        while texts and not self._is_welcome:
            await super()._send({"type": "websocket.send", "text": texts.pop(0)})
        if texts:
            await self.wrote(texts)

    async def wrote(self, texts: list[str]) -> None:
        """Write frames, and the positions that the client has with them."""
        blocks, moved = [], False
        for text in texts:
            block, frame = block_of(text)
            if frame.type == "error" and self._retry(frame):
                continue
            blocks.append(block)
            moved = self._note(frame) or moved
        if moved:
            blocks.append(b"id: " + positions.pack(self._positions).encode() + b"\n\n")
        if blocks:
            await self._write(b"".join(blocks))

    async def closed(self, code: int, reason: str) -> None:
        if not self.is_over:
            await self._write(b"event: close\ndata: " + to_json({"code": code, "reason": reason}) + b"\n\n")

    async def _finish(self) -> None:
        if self.is_started:
            await self._send_http({"type": "http.response.body", "body": b""})
        else:
            await super()._finish()

    def _note(self, frame: Envelope) -> bool:
        """Note the position of a frame. Returns whether the id has changed."""
        topic = frame.topic
        if not topic:
            return False
        if frame.position is None:
            if frame.type not in ("ok", "closed"):
                return False
            return self._positions.pop(topic, None) is not None  # Left, or ended.
        known = self._positions.get(topic)
        epoch = frame.epoch if frame.epoch is not None else known[0] if known else ""
        self._positions[topic] = (epoch, frame.position)
        if frame.partial and isinstance(frame.ref, int) and 0 <= frame.ref < len(self._topics):
            self._join(frame.ref, frame.position, epoch)
        return True

    def _join(self, number: int, after: int | None, epoch: str | None) -> None:
        """Join a topic of the address; its number is the `ref`."""
        command: dict[str, Any] = {"type": "join", "ref": number, "topic": self._topics[number]}
        if after is not None:
            command |= {"after": after, "epoch": epoch}
        self.put(to_json(command).decode())

    def _retry(self, frame: Envelope) -> bool:
        """Whether a refused join of the address is tried again later, so that the client need not know."""
        number, wait = frame.ref, frame.retry_after_ms
        if wait is None or not isinstance(number, int) or not 0 <= number < len(self._topics):
            return False
        if self._retries[number] >= MAX_RETRIES:
            return False
        self._retries[number] += 1
        topic = self._topics[number]
        epoch, position = self._positions.get(topic) or self._resume.get(topic) or (None, None)
        asyncio.get_running_loop().call_later(wait / 1000, self._join, number, position, epoch)
        return True

    async def _write(self, body: bytes) -> None:
        if self.is_over:
            return
        self.has_written = self._is_blocked = True
        try:
            await self._send_http({"type": "http.response.body", "body": body, "more_body": True})
        finally:
            self._is_blocked = False
