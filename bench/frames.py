"""WebSocket frames (RFC 6455) and streams of events, as the load client needs them."""

import struct

TEXT = 0x1
CLOSE = 0x8


def client_frame(text: str) -> bytes:
    """A text frame of a client. Masked with zeros: the server unmasks as always, and we need not mask."""
    payload = text.encode()
    size = len(payload)
    if size < 126:
        header = struct.pack("!BB", 0x80 | TEXT, 0x80 | size)
    elif size < 1 << 16:
        header = struct.pack("!BBH", 0x80 | TEXT, 0x80 | 126, size)
    else:
        header = struct.pack("!BBQ", 0x80 | TEXT, 0x80 | 127, size)
    return header + b"\0\0\0\0" + payload


def server_frame(payload: bytes) -> bytes:
    """A text frame of a server, for the bare sender."""
    size = len(payload)
    header = struct.pack("!BB", 0x80 | TEXT, size) if size < 126 else struct.pack("!BBH", 0x80 | TEXT, 126, size)
    return header + payload


class FrameReader:
    """Cuts a server's bytes into frames. Bytes of an incomplete frame are kept."""

    def __init__(self) -> None:
        self._kept = b""

    def feed(self, chunk: bytes) -> list[tuple[int, bytes]]:
        """The (opcode, payload) of each frame that is whole now."""
        data = self._kept + chunk
        frames = []
        at = 0
        while len(data) - at >= 2:
            size = data[at + 1] & 0x7F
            start = at + 2
            if size == 126:
                start += 2
            elif size == 127:
                start += 8
            if len(data) < start:
                break
            if start - at > 2:
                size = int.from_bytes(data[at + 2 : start], "big")
            if len(data) < start + size:
                break
            frames.append((data[at] & 0x0F, data[start : start + size]))
            at = start + size
        self._kept = data[at:]
        return frames

    @property
    def is_at_boundary(self) -> bool:
        return not self._kept


def upgrade_request(path: str, host: str, headers: dict[str, str]) -> bytes:
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


class StreamReader:
    """Cuts a stream of server-sent events, in the chunks of HTTP/1.1, into blocks. Incomplete ones are kept."""

    def __init__(self) -> None:
        self._chunks = b""
        self._body = b""

    def feed(self, raw: bytes) -> list[tuple[bytes, bytes]]:
        """The (name, value) of each block that is whole now, all of one field; a comment has no name."""
        self._chunks += raw
        parts = [self._body]
        while (end := self._chunks.find(b"\r\n")) >= 0:
            start = end + 2
            size = int(self._chunks[:end], 16)
            if len(self._chunks) < start + size + 2:
                break
            parts.append(self._chunks[start : start + size])
            self._chunks = self._chunks[start + size + 2 :]
        *blocks, self._body = b"".join(parts).split(b"\n\n")
        return [(name, value.lstrip(b" ")) for name, _, value in (block.partition(b":") for block in blocks)]

    @property
    def is_at_boundary(self) -> bool:
        return not self._chunks and not self._body


def stream_request(path: str, host: str, headers: dict[str, str]) -> bytes:
    """The request for a stream of server-sent events."""
    lines = [f"GET {path} HTTP/1.1", f"Host: {host}", "Accept: text/event-stream"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()
