"""What is sent to many at once: one text frame or several in a row, encoded once per process. A leaf."""

from collections.abc import Sequence
from typing import Final

# RFC 6455 section 5.2: FIN and opcode 1, text. A server's frames are not masked.
TEXT_FRAME: Final = 0x81
TWO_LENGTH_BYTES: Final = 126
EIGHT_LENGTH_BYTES: Final = 127


class Frames:
    """Text frames that go out together. `wire`: their bytes with the WebSocket headers, uncompressed."""

    __slots__ = ("texts", "wire")

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.wire = b"".join(map(wire_bytes, texts))

    @classmethod
    def together(cls, several: Sequence["Frames"]) -> "Frames":
        """What is in `several`, at least one of them, in a row; nothing is encoded again."""
        if len(several) == 1:
            return several[0]
        one = cls()
        one.texts = tuple(text for frames in several for text in frames.texts)
        one.wire = b"".join([frames.wire for frames in several])
        return one


def wire_bytes(text: str) -> bytes:
    payload = text.encode()
    size = len(payload)
    if size < TWO_LENGTH_BYTES:
        header = bytes((TEXT_FRAME, size))
    elif size < 1 << 16:
        header = bytes((TEXT_FRAME, TWO_LENGTH_BYTES)) + size.to_bytes(2, "big")
    else:
        header = bytes((TEXT_FRAME, EIGHT_LENGTH_BYTES)) + size.to_bytes(8, "big")
    return header + payload
