"""Observer: sees what a client sends and receives, as it is on the wire."""

from typing import Any

Frame = dict[str, Any]


class Observer:
    """Sees all frames of a client, raw and in order: for records, measurements and tests. Subclass it.

    The methods are called in the event loop and must not block. An error that they raise ends the client.
    """

    def sent(self, frame: Frame) -> None:
        """A command is about to be sent: `frame`, with its `ref`. The token is never shown."""

    def received(self, frame: Frame) -> None:
        """A `frame` has arrived. The client has not handled it yet."""

    def ended(self, code: int, reason: str) -> None:
        """A connection, or an attempt to connect, has ended.

        Args:
            code: the close code; 1006: there was none.
            reason: in words.
        """
