"""One command by an HTTP request, answered in its body."""

import hashlib
from typing import Any

from hubbub.asgi.doors.answers import STATUSES, Header, Send, send_body
from hubbub.asgi.doors.virtual_socket import Application, Receive, VirtualSocket, envelope_of
from hubbub.protocol import from_json
from hubbub.publish import publish_stream_command
from hubbub.runtime import runtime

ACCEPTED = '{"type":"accepted"}'
# The key of `scope["extensions"]` under which a `HandingOver` consumer finds what makes its queue.
QUEUE_EXTENSION = "hubbub.queue"


class OneCommand(VirtualSocket):
    """Signs in, runs a command, and answers with its frame. `text`: the command, as on the wire."""

    def __init__(self, consumer: Application, receive: Receive, send: Send, text: str) -> None:
        super().__init__(consumer, receive, send)
        self._text = text

    async def welcomed(self, text: str) -> None:
        if envelope_of(self._text).type == "hello":  # Says whose sign-in the request has.
            await self.answer(200, text.encode())
        else:
            self.put(self._text)

    async def framed(self, text: str) -> None:
        frame = envelope_of(text)
        if frame.type in ("ok", "pong"):
            await self.answer(200, text.encode())
        elif frame.type == "accepted":
            await self.answer(202, text.encode())
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


class HandedCommand(OneCommand):
    """Hands a command to a stream of the same user, once the limits and scopes of this request allow it.

    `stream`: the name of the stream, on this process or another.
    """

    def __init__(self, consumer: Application, receive: Receive, send: Send, text: str, stream: str) -> None:
        super().__init__(consumer, receive, send, text)
        self._stream = stream

    def make_queue(self, socket: Any) -> "Handing":
        """Make the queue of the consumer's commands."""
        return Handing(socket, self._hand)

    def _hand(self, user_id: str) -> None:
        if (take := runtime().hub.streams.get(self._stream)) is not None:
            take(user_id, self._text)
        else:
            publish_stream_command(self._stream, user_id, self._text)


class Handing:
    """In place of the queue of a consumer: its one command is run elsewhere."""

    def __init__(self, socket: Any, hand: Any) -> None:
        self._socket = socket
        self._hand = hand

    async def put(self, command: Any) -> None:
        """Hand it over."""
        self._hand(self._socket.identity.user_id)
        self._socket.send_frame(ACCEPTED)

    async def finish(self, seconds: float) -> None:
        """Nothing is in flight."""

    async def cancel(self) -> None:
        """Nothing is in flight."""


class HandingOver:
    """Beside a consumer of topics: its commands are checked and counted, and run by the queue of the request."""

    scope: dict[str, Any]

    def _make_queue(self, max_in_flight: int) -> Any:
        return self.scope["extensions"][QUEUE_EXTENSION](self)


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
