"""The load client says so when a frame is lost, doubled, swapped, damaged, or given to some only."""

import socket
from collections.abc import Callable, Iterator

import pytest

from bench import load
from bench.load import Broken, Burst, Members
from realtime.frame import wire_bytes

MEMBERS = 5
FRAMES = [wire_bytes(f"message {number}") for number in range(20)]
WHOLE = b"".join(FRAMES)


class Scripted:
    """A sender that writes to each member what `streams` says."""

    fd = None

    def __init__(self, servers: list[socket.socket], streams: Callable[[int], bytes]) -> None:
        self._servers = servers
        self._streams = streams

    def begin(self, numbers: range) -> None:
        for index, server in enumerate(self._servers):
            server.sendall(self._streams(index))

    def go_on(self) -> None:
        raise AssertionError("it has nothing to read")

    def sent_at(self) -> float:
        return 0.0

    def close(self) -> None: ...


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Members, list[socket.socket]]]:
    monkeypatch.setattr(load, "STALL_SECONDS", 0.2)
    made = [socket.socketpair() for _ in range(MEMBERS)]
    members = Members([client for client, _ in made])
    yield members, [server for _, server in made]
    members.close()
    for _, server in made:
        server.close()


Pairs = tuple[Members, list[socket.socket]]


def burst(pairs: Pairs, streams: Callable[[int], bytes]) -> Burst:
    members, servers = pairs
    return members.burst(Scripted(servers, streams), range(len(FRAMES)))


def to_member(damaged: int, stream: bytes) -> Callable[[int], bytes]:
    return lambda index: stream if index == damaged else WHOLE


def test_all_frames_to_all_members_are_counted_and_found_right(pairs: Pairs) -> None:
    done = burst(pairs, lambda index: WHOLE)
    assert done.problem is None
    assert done.payloads == [b"message %d" % number for number in range(20)]
    assert done.seconds > 0


def test_a_second_burst_begins_anew(pairs: Pairs) -> None:
    assert burst(pairs, lambda index: WHOLE).problem is None
    assert burst(pairs, lambda index: WHOLE).problem is None


@pytest.mark.parametrize(
    ("stream", "problem"),
    [
        (b"".join(FRAMES[:-1]), "1 of 5 members had not all messages"),
        (b"".join(FRAMES[:9] + FRAMES[10:]), "1 of 5 members had not all messages"),
        (b"".join([FRAMES[1], FRAMES[0], *FRAMES[2:]]), "1 members had other bytes"),
        (WHOLE.replace(b"message 7", b"massage 7"), "1 members had other bytes"),
    ],
    ids=["the last is lost", "one in the middle is lost", "two are swapped", "one is damaged"],
)
def test_what_is_wrong_at_one_member_shows(pairs: Pairs, stream: bytes, problem: str) -> None:
    assert burst(pairs, to_member(3, stream)).problem == problem


def test_a_doubled_frame_at_one_member_shows(pairs: Pairs) -> None:
    # Its bytes make up for those that another one misses: the total alone would be right.
    streams = {1: WHOLE + FRAMES[-1], 2: b"".join(FRAMES[:-1])}
    assert burst(pairs, lambda index: streams.get(index, WHOLE)).problem is not None


def test_the_recorder_that_misses_a_message_shows(pairs: Pairs) -> None:
    assert burst(pairs, to_member(0, b"".join(FRAMES[:-1]))).problem == "a member had 19 of 20 messages"


def test_a_socket_that_is_closed_is_an_error(pairs: Pairs) -> None:
    members, servers = pairs
    servers[2].close()
    with pytest.raises(Broken, match="closed"):
        members.burst(Scripted(servers[:2], lambda index: WHOLE), range(len(FRAMES)))


def test_a_single_message_is_waited_for_at_every_member(pairs: Pairs) -> None:
    members, servers = pairs
    waits, payload = members.single(Scripted(servers, lambda index: FRAMES[0]), 0)
    assert len(waits) == MEMBERS
    assert payload == b"message 0"


def test_a_single_message_that_one_member_never_gets_is_an_error(pairs: Pairs) -> None:
    members, servers = pairs
    with pytest.raises(Broken, match="only 4 of 5"):
        members.single(Scripted(servers[:-1], lambda index: FRAMES[0]), 0)


def test_what_others_had_sent_before_is_forgotten(pairs: Pairs) -> None:
    members, servers = pairs
    for server in servers:
        server.sendall(b"earlier")
    members.drain(quiet_seconds=0.05)
    assert burst(pairs, lambda index: WHOLE).problem is None
