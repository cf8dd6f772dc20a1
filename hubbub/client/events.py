"""Server-sent events, from bytes to frames. Pure."""

from typing import NamedTuple

from hubbub.client.wire import MAX_FRAME_BYTES


class TooLong(ValueError):
    """A block without an end."""


class Event(NamedTuple):
    """A block with data. `kind`: of the field `event`; empty: a frame."""

    kind: str
    data: str


class EventReader:
    """Takes the parts of a stream. Ids and comments are left out: a client knows its positions."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def take(self, part: bytes) -> list[Event]:
        """The events that are complete now. Raises TooLong, or UnicodeDecodeError, which is a ValueError."""
        # The end of a block may be in both parts.
        searched = max(0, len(self._rest) - 1)
        self._rest += part
        if self._rest.find(b"\n\n", searched) < 0:
            if len(self._rest) > MAX_FRAME_BYTES:
                raise TooLong("a server-sent event without an end")
            return []
        *blocks, rest = bytes(self._rest).split(b"\n\n")
        self._rest = bytearray(rest)
        return [event for block in blocks if (event := _event_of(block.decode())) is not None]


def _event_of(block: str) -> Event | None:
    kind, data = "", []
    for line in block.split("\n"):
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            kind = value
        elif name == "data":
            data.append(value)
    return Event(kind, "\n".join(data)) if data else None
