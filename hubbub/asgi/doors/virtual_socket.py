"""Runs a consumer for an HTTP request: sign-in, limits, revocation and commands are those of a socket."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import msgspec

from hubbub.asgi.doors.answers import Problem, Send, problem_of_close, send_problem
from hubbub.protocol import CloseCode, ErrorCode, decoder_of, from_json

logger = logging.getLogger(__name__)

Application = Callable[[Any, Any, Any], Awaitable[None]]
Receive = Callable[[], Awaitable[dict[str, Any]]]


# For the end of an answer, of which a client may read nothing.
FINISH_SECONDS = 2.0


class Envelope(msgspec.Struct):
    """The fields of a frame that the doors read. Those of an event are the project's, and of any type."""

    type: Any = ""
    ref: Any = None
    topic: Any = ""
    epoch: Any = None
    position: Any = None
    partial: Any = False
    retry_after_ms: Any = None


_envelope = decoder_of(Envelope)


def envelope_of(text: str) -> Envelope:
    """Read a frame; an empty envelope: it cannot be read."""
    try:
        envelope: Envelope = _envelope.decode(text)
    except (msgspec.MsgspecError, RecursionError, UnicodeEncodeError):
        return Envelope()
    return envelope


class VirtualSocket:
    """One run of a consumer. Subclasses turn its frames into the answer of the request.

    Args:
        consumer: as of a route.
        receive: of the request, whose body has been read.
        send: of the request.
    """

    def __init__(self, consumer: Application, receive: Receive, send: Send) -> None:
        self._consumer = consumer
        self._receive_http = receive
        self._send_http = send
        self._inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        # The head of the answer was sent.
        self.is_started = False
        # The client has gone, or the answer is complete.
        self.is_over = False
        self._problem: Problem | None = None

    async def run(self, scope: dict[str, Any]) -> None:
        """Run the consumer to its end. `scope`: see `requests.socket_scope`."""
        self._inbox.put_nowait({"type": "websocket.connect"})
        watcher = asyncio.create_task(self._watch())
        try:
            await self._consumer(scope, self._inbox.get, self._send)
        finally:
            watcher.cancel()
        if not self.is_over:
            self.is_over = True
            with suppress(TimeoutError, OSError):
                async with asyncio.timeout(FINISH_SECONDS):
                    await self._finish()

    def put(self, text: str) -> None:
        """Give the consumer a frame, as from the client."""
        self._inbox.put_nowait({"type": "websocket.receive", "text": text})

    def end(self, code: int = 1000) -> None:
        """Tell the consumer that its client has gone."""
        self._inbox.put_nowait({"type": "websocket.disconnect", "code": code})

    # For subclasses

    async def welcomed(self, text: str) -> None:
        """The user is signed in. `text`: the frame `hello`."""
        raise NotImplementedError

    async def framed(self, text: str) -> None:
        """A frame after `hello`."""
        raise NotImplementedError

    async def closed(self, code: int, reason: str) -> None:
        """The consumer has closed a socket that was signed in."""

    async def _finish(self) -> None:
        """Complete the answer."""
        if not self.is_started:
            await send_problem(self._send_http, self._problem or problem_of_close(1011))

    # The socket's ASGI

    _is_welcome = False

    async def _send(self, message: dict[str, Any]) -> None:
        """The consumer's `send`. A failure ends the socket: its writer would be gone, and the client would wait."""
        try:
            await self._take(message)
        except OSError:  # The client has gone.
            self.is_over = True
            self.end()
        except Exception:
            logger.exception("http: an answer failed")
            self.end(CloseCode.INTERNAL)

    async def _take(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "websocket.send" if self._is_welcome:
                await self.framed(message["text"])
            case "websocket.send":
                await self._send_early(message["text"])
            case "websocket.close":
                self.end(message.get("code", 1000))
                self._problem = self._problem or problem_of_close(message.get("code", 1000))
                if self._is_welcome:
                    await self.closed(message.get("code", 1000), message.get("reason", ""))
            case "websocket.http.response.start":
                is_full = message["status"] == 503
                full = Problem(ErrorCode.UNAVAILABLE, "too many connections; try again later")
                self._problem = full if is_full else problem_of_close(CloseCode.INTERNAL)
                self.end()

    async def _send_early(self, text: str) -> None:
        """A frame before the user is known."""
        frame = envelope_of(text)
        if frame.type == "hello":
            self._is_welcome = True
            await self.welcomed(text)
        elif frame.type == "auth.required":
            self._problem = Problem(ErrorCode.UNAUTHORIZED, "sign in, or send a token: Authorization: Bearer …")
            self.end()
        elif frame.type == "error":
            error = from_json(text)
            self._problem = Problem(error["code"], error["detail"], retry_after_ms=error.get("retry_after_ms"))

    async def _watch(self) -> None:
        """Wait for the end of the client's connection."""
        with suppress(asyncio.CancelledError):
            while (await self._receive_http())["type"] != "http.disconnect":
                pass
            self.is_over = True
            self.end()
