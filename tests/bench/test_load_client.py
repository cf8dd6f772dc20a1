"""The load client says so when a frame is lost, doubled, swapped, damaged, given to some only, or not of this run."""

import socket
import time
from collections.abc import Callable, Iterator
from threading import Timer

import pytest

from bench import load_client
from bench.load_client import Broken, Burst, Members
from hubbub.delivery.frames import wire_bytes

MEMBERS = 5
FRAMES = [wire_bytes(f"message {number}") for number in range(20)]
WHOLE = b"".join(FRAMES)
STRAY = wire_bytes("another side's")


class Scripted:
    """A sender that writes to each member by `streams`."""

    fd = None
    mark = b"message"

    def __init__(self, servers: list[socket.socket], streams: Callable[[int], bytes]) -> None:
        self._servers = servers
        self._streams = streams
        self.told: list[int] = []

    def settle(self) -> None: ...

    def delivered(self, size: int) -> None:
        self.told.append(size)

    def begin(self, numbers: range) -> None:
        for index, server in enumerate(self._servers):
            server.sendall(self._streams(index))

    def on_readable(self) -> None:
        raise AssertionError("it has nothing to read")

    def sent_at(self) -> float:
        return 0.0

    def close(self) -> None: ...


@pytest.fixture
def pairs(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Members, list[socket.socket]]]:
    monkeypatch.setattr(load_client, "STALL_SECONDS", 0.2)
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
        (b"".join(FRAMES[:-1]), "1 of 5 members lacked messages"),
        (b"".join(FRAMES[:9] + FRAMES[10:]), "1 of 5 members lacked messages"),
        (b"".join([FRAMES[1], FRAMES[0], *FRAMES[2:]]), "1 members had different bytes"),
        (WHOLE.replace(b"message 7", b"massage 7"), "1 members had different bytes"),
    ],
    ids=["the last is lost", "one in the middle is lost", "two are swapped", "one is damaged"],
)
def test_an_error_at_one_member_shows(pairs: Pairs, stream: bytes, problem: str) -> None:
    assert burst(pairs, to_member(3, stream)).problem == problem


def test_a_doubled_frame_at_one_member_is_an_error(pairs: Pairs) -> None:
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


def test_data_from_before_a_burst_is_forgotten(pairs: Pairs) -> None:
    members, servers = pairs
    for server in servers:
        server.sendall(b"earlier")
    members.drain(quiet_seconds=0.05)
    assert burst(pairs, lambda index: WHOLE).problem is None


def test_a_server_that_is_never_quiet_is_an_error(pairs: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_client, "NOISE_SECONDS", -1.0)
    members, servers = pairs
    servers[0].sendall(STRAY)
    with pytest.raises(Broken, match="strays"):
        members.drain(quiet_seconds=0.05)


def test_another_servers_frames_on_the_same_channel_are_errors(pairs: Pairs) -> None:
    # As two servers on one constant channel of one Redis: every member has every message of the other side, too.
    doubled = b"".join(piece for frame in FRAMES for piece in (STRAY, frame))
    problem = burst(pairs, lambda index: doubled).problem
    assert problem is not None
    assert problem.startswith("strays: a member had 20 frames that nothing here sent, as b\"another side's")


def test_a_stray_to_one_member_is_an_error(pairs: Pairs) -> None:
    problem = burst(pairs, lambda index: STRAY + WHOLE if index == 4 else WHOLE).problem
    assert problem is not None


def test_a_stray_to_the_recorder_alone_is_an_error(pairs: Pairs) -> None:
    problem = burst(pairs, lambda index: STRAY + WHOLE if index == 0 else WHOLE).problem
    assert problem is not None
    assert problem.startswith("strays")


def test_a_stray_is_not_the_message_that_is_waited_for(pairs: Pairs) -> None:
    members, servers = pairs
    with pytest.raises(Broken, match="strays"):
        members.single(Scripted(servers, lambda index: STRAY), 0)


def test_a_stray_beside_a_single_message_is_an_error(pairs: Pairs) -> None:
    members, servers = pairs
    with pytest.raises(Broken, match="strays"):
        members.single(Scripted(servers, lambda index: STRAY + FRAMES[0]), 0)


def test_a_message_while_nothing_is_sent_is_a_stray(pairs: Pairs) -> None:
    members, servers = pairs
    assert members.strays(quiet_seconds=0.05) is None
    servers[0].sendall(STRAY)
    servers[3].sendall(STRAY + STRAY)
    size = 3 * len(STRAY)
    shown = 'b"another side\'s"'
    assert members.strays(0.05) == f"strays: 2 members had {size} bytes while nothing was sent, as {shown}"
    assert members.strays(quiet_seconds=0.05) is None


def test_a_frame_that_comes_after_the_burst_is_a_stray(pairs: Pairs) -> None:
    members, servers = pairs
    assert burst(pairs, lambda index: WHOLE).problem is None
    servers[2].sendall(FRAMES[-1])
    assert (members.strays(quiet_seconds=0.05) or "").startswith("strays: 1 members had")


def test_a_message_that_comes_in_parts_is_there_with_its_last_byte(pairs: Pairs) -> None:
    members, servers = pairs

    class InParts(Scripted):
        fd = None

        def begin(self, numbers: range) -> None:
            for server in servers:
                server.sendall(FRAMES[0][:4])
            Timer(0.05, lambda: [server.sendall(FRAMES[0][4:]) for server in servers]).start()

        def sent_at(self) -> float:
            return began

    began = time.perf_counter()
    waits, payload = members.single(InParts(servers, lambda index: b""), 0)
    assert payload == b"message 0"
    assert len(waits) == MEMBERS
    assert min(waits) >= 0.05


def test_the_sender_gets_the_size_read_by_the_last_member(pairs: Pairs) -> None:
    members, servers = pairs
    sender = Scripted(servers, lambda index: WHOLE)
    assert members.burst(sender, range(len(FRAMES))).problem is None
    assert sender.told[-1] == len(WHOLE)
