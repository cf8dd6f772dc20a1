"""The parts of a body that the server writes past Twisted: nothing is lost, doubled or swapped."""

from types import SimpleNamespace
from typing import Any

import pytest

from hubbub.server import http


class FullTransport:
    """A transport whose socket takes `room` bytes."""

    dataBuffer = b""
    _tempDataLen = 0
    disconnecting = False

    def __init__(self, room: int | None) -> None:
        self.room = room
        self.sent = self.buffered = b""
        self.socket = self

    def send(self, data: bytes) -> int:
        if self.room is None:
            raise BlockingIOError
        self.sent += data[: self.room]
        return min(self.room, len(data))

    def write(self, data: bytes) -> None:
        self.buffered += data
        self._tempDataLen += len(data)


def streaming(monkeypatch: pytest.MonkeyPatch, transport: FullTransport) -> Any:
    monkeypatch.setattr(http, "FAST_TRANSPORTS", (FullTransport,))
    request: Any = http.Request.__new__(http.Request)
    request.channel = SimpleNamespace(transport=transport, write=transport.write)
    # Set by Twisted with the head of the answer.
    request.chunked = 1
    assert (http.Request.finished, http.Request.sentLength) == (0, 0)
    return request


@pytest.mark.parametrize("room", [None, 0, 1, 5, 100], ids=str)
def test_a_part_of_a_body_that_the_socket_does_not_take_waits_in_the_transport(
    monkeypatch: pytest.MonkeyPatch, room: int | None
) -> None:
    request = streaming(monkeypatch, transport := FullTransport(room))
    assert request.is_clear()
    request.write_now(b"x" * 20)
    assert transport.sent + transport.buffered == b"14\r\n" + b"x" * 20 + b"\r\n"
    assert request.is_clear() == (room == 100)


def test_a_body_is_written_past_twisted_only_behind_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    request = streaming(monkeypatch, transport := FullTransport(100))
    for place, name, value in (
        (transport, "dataBuffer", b"x"),
        (transport, "_tempDataLen", 1),
        (transport, "disconnecting", True),
        (request, "chunked", 0),
        (request, "finished", 1),
        (request, "channel", None),
        (http, "FAST_TRANSPORTS", ()),
    ):
        assert request.is_clear()
        with monkeypatch.context() as patched:
            patched.setattr(place, name, value)
            assert not request.is_clear(), name
