"""The errors of the client, beside `Refused`."""

from hubbub.protocol import Refused


class ConnectionLost(ConnectionError):
    """The connection was lost before the answer to a command. The command may have taken effect or not."""


class ConnectionEnded(ConnectionError):
    """The server ended the connection for good, and the client does not reconnect.

    Attributes:
        code: the close code, 4000 to 4099, or the HTTP status of a refused handshake; 0: neither.
        detail: the reason, in words.
    """

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(code, detail)
        self.code = code
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} ({self.code})" if self.code else self.detail


class TopicClosed(Refused):
    """The server closed the topic for this user, or refused to join it.

    Attributes:
        topic: the address.
        code: `not_found`, `forbidden`, or a code of the topic, such as `banned`.
        detail: the reason of a refused join, in words; else empty.
    """

    def __init__(self, topic: str, code: str, detail: str = "") -> None:
        super().__init__(code, detail)
        self.topic = topic

    def __str__(self) -> str:
        return f"{self.topic}: {self.code}" + (f": {self.detail}" if self.detail else "")
