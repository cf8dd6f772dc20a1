"""One command by an HTTP request, answered in its body."""

import hashlib

from hubbub.asgi.doors.answers import STATUSES, Header, Send, send_body
from hubbub.asgi.doors.virtual_socket import Application, Receive, VirtualSocket, envelope_of
from hubbub.protocol import from_json
from hubbub.publish import publish_stream_command
from hubbub.runtime import runtime

ACCEPTED = b'{"type":"accepted"}'


class OneCommand(VirtualSocket):
    """Signs in, runs a command, and answers with its frame.

    Args:
        text: the command, as on the wire.
        stream: the name of the stream that runs it; None: this request does.
    """

    def __init__(
        self, consumer: Application, receive: Receive, send: Send, text: str, stream: str | None = None
    ) -> None:
        super().__init__(consumer, receive, send)
        self._text = text
        self._stream = stream

    async def welcomed(self, text: str) -> None:
        if self._stream is None:
            self.put(self._text)
            return
        user_id = from_json(text)["user"]["id"] or ""
        if (take := runtime().hub.streams.get(self._stream)) is not None:
            take(user_id, self._text)
        else:
            publish_stream_command(self._stream, user_id, self._text)
        await self.answer(202, ACCEPTED)

    async def framed(self, text: str) -> None:
        frame = envelope_of(text)
        if frame.type in ("ok", "pong"):
            await self.answer(200, text.encode())
        elif frame.type == "error":
            headers: list[Header] = []
            if frame.retry_after_ms is not None:
                headers.append((b"retry-after", b"%d" % -(-frame.retry_after_ms // 1000)))
            await self.answer(STATUSES.get(from_json(text)["code"], 400), text.encode(), headers)

    async def answer(self, status: int, body: bytes, headers: list[Header] | None = None) -> None:
        """Send the answer, and end the socket. The first one counts."""
        if not self.is_started and not self.is_over:
            self.is_started = self.is_over = True
            await send_body(self._send_http, status, body, headers or ())
        self.end()


class StateRead(OneCommand):
    """Reads the state of a topic. `etag`: of the state that the client has, as sent by If-None-Match."""

    def __init__(self, consumer: Application, receive: Receive, send: Send, text: str, etag: str) -> None:
        super().__init__(consumer, receive, send, text)
        self._etag = etag

    async def answer(self, status: int, body: bytes, headers: list[Header] | None = None) -> None:
        if status != 200:
            await super().answer(status, body, headers)
            return
        # Of the whole answer: `viewer` is of one user.
        etag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        known = {part.strip() for part in self._etag.split(",")}
        found = [(b"etag", etag.encode()), (b"cache-control", b"private, no-cache")]
        await super().answer(304 if etag in known else 200, b"" if etag in known else body, found)
