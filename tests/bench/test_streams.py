"""The case of streams: its readers notice each lost, swapped and cut event, and it measures the real thing."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import pytest

from bench import crowd, machine
from bench.crowd import Crowd, events_of_socket, events_of_stream
from bench.environment import Ground, prepared
from bench.frames import StreamReader, server_frame
from bench.load_client import Broken
from bench.scenarios import streams
from bench.senders import Poster


def chunk(text: str) -> bytes:
    return b"%x\r\n%b\r\n" % (len(text.encode()), text.encode())


def test_blocks_are_the_same_however_they_are_cut() -> None:
    raw = chunk('data: {"a":1}\n\nid: x:1\n\n') + chunk(":\n\n") + chunk("data: é\n") + chunk("\n")
    for step in (1, 2, 3, 7, len(raw)):
        reader = StreamReader()
        read = [block for at in range(0, len(raw), step) for block in reader.feed(raw[at : at + step])]
        assert read == [(b"data", b'{"a":1}'), (b"id", b"x:1"), (b"", b""), (b"data", "é".encode())]
        assert reader.is_at_boundary


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (chunk("data: 1\n\n"), "no id follows"),
        (chunk("data: 1\n\nid: x:1\n\ndata: 2\n\n"), "no id follows"),
        (chunk("data: 1\n\nid: x:1\n\n")[:-3], "a part of a block"),
        (chunk("data: 1\n\nid: x:1\n"), "a part of a block"),
    ],
    ids=["no id", "an event behind the id", "a cut chunk", "a cut block"],
)
def test_wrong_streams_are_reported(raw: bytes, problem: str) -> None:
    with pytest.raises(Broken, match=problem):
        events_of_stream(raw)


def test_wrong_frames_of_a_socket_are_reported() -> None:
    assert events_of_socket(server_frame(b"one") + server_frame(b"two")) == [b"one", b"two"]
    for raw in (server_frame(b"one")[:-1], b"\x89\x00"):
        with pytest.raises(Broken, match="not text, or a part"):
            events_of_socket(raw)


@pytest.fixture
def members() -> Iterator[tuple[Crowd, Poster, list[socket.socket]]]:
    """Two members, the server's ends of both, and a poster, which nobody answers."""
    pairs = [socket.socketpair() for _ in range(3)]
    poster = Poster(pairs[2][0], lambda number: b"%d" % number, lambda payload: True, b"mark")
    made = Crowd([near for near, _ in pairs[:2]], events_of_socket)
    with contextlib.closing(made), contextlib.closing(poster):
        yield made, poster, [far for _, far in pairs]
    for _, far in pairs:
        far.close()


def test_a_crowd_returns_the_events_that_all_had(members: tuple[Crowd, Poster, list[socket.socket]]) -> None:
    made, poster, (first, second, _) = members
    both = server_frame(b"mark 0") + server_frame(b"mark 1")
    first.sendall(both)
    second.sendall(both[:4])  # Within the first mark.
    timer = threading.Timer(0.05, second.sendall, [both[4:]])
    timer.start()
    received = made.receive(poster, range(2))
    timer.join()
    assert received.payloads == [b"mark 0", b"mark 1"]
    assert len(received.arrived_at) == 4


@pytest.mark.parametrize(
    ("texts", "problem"),
    [
        ([b"mark 0"], "1 of 2 members lacked"),
        ([b"mark 1", b"mark 0"], "different events"),
        ([b"mark 0", b"stray", b"mark 1"], "different events"),
    ],
    ids=["lost", "swapped", "a stray"],
)
def test_a_crowd_reports_what_one_member_had_alone(
    members: tuple[Crowd, Poster, list[socket.socket]],
    monkeypatch: pytest.MonkeyPatch,
    texts: list[bytes],
    problem: str,
) -> None:
    monkeypatch.setattr(crowd, "STALL_SECONDS", 0.1)
    made, poster, (first, second, _) = members
    first.sendall(server_frame(b"mark 0") + server_frame(b"mark 1"))
    second.sendall(b"".join(map(server_frame, texts)))
    with pytest.raises(Broken, match=problem):
        made.receive(poster, range(2))


@pytest.fixture(scope="module")
def ground() -> Iterator[Ground]:
    machine.raise_descriptor_limit()
    with prepared() as made:
        yield made


@pytest.mark.soak
@pytest.mark.cluster
def test_streams_are_measured_beside_sockets(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streams, "STREAMS", 20)
    monkeypatch.setattr(streams, "LONE_MESSAGES", 3)
    table = streams.streams(ground, 1, lambda _: None)
    assert [row.name for row in table.rows] == ["sockets", "streams", "ratio"]
    assert all(row.problems == [] for row in table.rows)
    assert all(row.median(name) > 0 for row in table.rows for name in ("alone_us", "cpu_us", "join_us", "p99_ms"))
    # No stream and no socket holds a thread or a connection to the database.
    assert all(row.median(name) <= 4 for row in table.rows[:2] for name in ("threads", "database"))
