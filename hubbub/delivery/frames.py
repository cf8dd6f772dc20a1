"""Text frames for many sockets, encoded once per process. A leaf."""

from collections.abc import Sequence
from typing import Final

# RFC 6455 section 5.2: FIN and opcode 1, text. A server's frames are not masked.
TEXT_FRAME: Final = 0x81
TWO_LENGTH_BYTES: Final = 126
EIGHT_LENGTH_BYTES: Final = 127


class Frames:
    """Text frames that are sent together. `wire`: their bytes with WebSocket headers, uncompressed."""

    __slots__ = ("texts", "wire")

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.wire = b"".join(map(wire_bytes, texts))

    @classmethod
    def joined(cls, several: Sequence["Frames"]) -> "Frames":
        """Join frames without encoding them again. `several`: at least one."""
        if len(several) == 1:
            return several[0]
        frames = cls()
        frames.texts = tuple(text for part in several for text in part.texts)
        frames.wire = b"".join([part.wire for part in several])
        return frames


def wire_bytes(text: str) -> bytes:
    """One unmasked WebSocket text frame."""
    payload = text.encode()
    size = len(payload)
    if size < TWO_LENGTH_BYTES:
        header = bytes((TEXT_FRAME, size))
    elif size < 1 << 16:
        header = bytes((TEXT_FRAME, TWO_LENGTH_BYTES)) + size.to_bytes(2, "big")
    else:
        header = bytes((TEXT_FRAME, EIGHT_LENGTH_BYTES)) + size.to_bytes(8, "big")
    return header + payload
