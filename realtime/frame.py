"""A frame that is sent to many: encoded once per process, as text and as the bytes of a WebSocket frame. A leaf."""

from typing import Final

# RFC 6455 section 5.2: FIN and opcode 1, text. A server's frames are not masked.
TEXT_FRAME: Final = 0x81
TWO_LENGTH_BYTES: Final = 126
EIGHT_LENGTH_BYTES: Final = 127


class Frame:
    """One text frame. `wire`: its bytes with the WebSocket header, as one uncompressed frame."""

    __slots__ = ("text", "wire")

    def __init__(self, text: str) -> None:
        self.text = text
        self.wire = wire_bytes(text)


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
