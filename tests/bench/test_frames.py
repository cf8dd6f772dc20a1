"""The load client's frames: encoding by RFC 6455, decoding of split frames."""

import pytest

from bench.frames import TEXT, FrameReader, client_frame
from hubbub.delivery.frames import wire_bytes

SIZES = (0, 1, 125, 126, 65_535, 65_536)


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_of_any_size_is_read_as_it_was_sent(size: int) -> None:
    wire = wire_bytes("x" * size)
    assert FrameReader().feed(wire) == [(TEXT, b"x" * size)]


def test_frames_are_the_same_however_they_are_cut_into_chunks() -> None:
    texts = ["one", "x" * 200, "", "three"]
    wire = b"".join(wire_bytes(text) for text in texts)
    for step in (1, 2, 3, 7, len(wire)):
        reader = FrameReader()
        read = [frame for at in range(0, len(wire), step) for frame in reader.feed(wire[at : at + step])]
        assert [payload.decode() for _, payload in read] == texts


@pytest.mark.parametrize(
    ("size", "header"), [(5, b"\x81\x85"), (126, b"\x81\xfe\x00\x7e"), (65_536, b"\x81\xff" + b"\0" * 5 + b"\1\0\0")]
)
def test_a_clients_frame_is_masked(size: int, header: bytes) -> None:
    assert client_frame("x" * size) == header + b"\0\0\0\0" + b"x" * size
