"""A socket with frames of its own, beside topics: each text comes back to its sender."""

from typing import Any

from hubbub.consumers import Consumer
from hubbub.protocol import Command, ErrorCode, Ok, Ping, Refused

MAX_CHARS = 1000


class Echo(Command, tag="echo", frozen=True):
    """`{"type": "echo", "ref": 1, "text": "Hello"}`"""

    text: str


class Echoed(Ok, tag="ok", frozen=True):
    """`{"type": "ok", "ref": 1, "text": "Hello"}`"""

    text: str


class EchoConsumer(Consumer):
    """Sign-in, limits, heartbeats, malformed frames and the end of the socket are the engine's."""

    commands = Echo | Ping

    async def handle(self, command: Any) -> Ok | None:
        match command:
            case Echo(text=text) if len(text) > MAX_CHARS:
                raise Refused(ErrorCode.TOO_LONG, f"a text has at most {MAX_CHARS} characters")
            case Echo(text=text):
                return Echoed(text=text)
        return await super().handle(command)
