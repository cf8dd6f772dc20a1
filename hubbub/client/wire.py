"""Wire: what a connection runs on, a WebSocket or HTTP. Its ends, as exceptions."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from hubbub.client.observer import Frame

MAX_FRAME_BYTES = 8 << 20  # A site may set its largest frame to 4 MiB.


class WireClosed(Exception):
    """The wire has ended. `code`: of the close; 1006: there was none."""

    def __init__(self, code: int, reason: str = "") -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason


class WireRefused(Exception):
    """The server has answered with an HTTP status, and there is no wire.

    Args:
        status: of the answer.
        retry_after: its header.
        error: the frame of the server, if the answer was its own.
    """

    def __init__(self, status: int, retry_after: str | None = None, error: Frame | None = None) -> None:
        super().__init__(status)
        self.status = status
        self.retry_after = retry_after
        self.error = error


class Wire(Protocol):
    """An open way to a server.

    Attributes:
        joined: so many topics were joined by opening it; their answers have the refs 0, 1, …
        is_pinged: a silent server is pinged; else the wire itself finds out.
        answer_seconds: within them the answer to a sent command arrives, or the wire is dead; None: it may wait.
    """

    joined: int
    is_pinged: bool
    answer_seconds: float | None

    async def receive(self) -> str | bytes:
        """The next frame. Raises WireClosed."""

    async def send(self, text: str, topic: str) -> str | None:
        """Send a command of the topic. Returns its answer if that is no frame of its own. Raises WireClosed."""

    def greeted(self, hello: Frame) -> None:
        """The server has said hello."""

    async def close(self) -> None:
        """Close it in the usual way."""

    def abort(self) -> None:
        """Close it at once."""

    @property
    def unsent_bytes(self) -> int:
        """Of commands that have not left the machine."""


# Opens a wire. The argument: joins that may be a part of it.
OpenWire = Callable[[Sequence[Frame]], Awaitable[Wire]]
