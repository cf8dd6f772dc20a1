"""Dead and slow peers, told apart by the kernel's report on waiting bytes."""

import socket
import struct
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from hubbub.server.pings import STALLED_SECONDS, PendingPing, TransportState, read_transport_state

INTERVAL, TIMEOUT = 20.0, 15.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """A TCP connection: the sender, and a reader with a small buffer."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        reader = socket.socket()
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(listener.getsockname())
        sender, _ = listener.accept()
    sender.setblocking(False)
    with closing(sender), closing(reader):
        yield sender, reader


def verdicts(ping: PendingPing, *states: tuple[float, TransportState]) -> list[str]:
    return [ping.evaluate(at, state, INTERVAL, TIMEOUT).value for at, state in states]


def test_a_peer_without_pongs_is_dead_after_the_timeout() -> None:
    ping = PendingPing(0, TransportState(0, 10, 100))
    arrived = TransportState(0, 0, 110)
    assert verdicts(ping, (1, arrived), (15, arrived), (16, arrived)) == ["wait", "wait", "dead"]


def test_a_dead_peer_behind_a_proxy_that_takes_everything_is_found() -> None:
    ping = PendingPing(0, TransportState(0, 10, 100))
    states = [(float(at), TransportState(0, 300, 110 + 5_000 * at)) for at in range(1, 17)]
    assert verdicts(ping, *states)[-2:] == ["wait", "dead"]


def test_a_peer_that_has_vanished_acknowledges_nothing() -> None:
    ping = PendingPing(0, TransportState(0, 10, 100))
    states = [(float(at), TransportState(0, 10, 100, silent_seconds=20 + at)) for at in range(1, 16)]
    assert verdicts(ping, *states)[-2:] == ["wait", "dead"]


def test_a_slow_reader_is_alive_while_its_pong_waits_behind_data() -> None:
    ping = PendingPing(0, TransportState(200_000, 230_000, 0))
    read = range(5_000, 200_000, 5_000)
    states = [(size / 5_000, TransportState(200_000 - size, 230_000 - size, size)) for size in read]
    assert set(verdicts(ping, *states)) == {"wait"}


def test_a_reader_of_100_bytes_a_second_moves_in_steps_and_stays() -> None:
    ping = PendingPing(0, TransportState(200_000, 230_000, 0))
    states = [(float(at), TransportState(200_000, 230_000, 4_096 * (at // 41))) for at in range(1, 400)]
    assert set(verdicts(ping, *states)) == {"wait"}


def test_a_peer_without_memory_answers_retransmissions_more_and_more_seldom_and_is_not_dead() -> None:
    ping = PendingPing(0, TransportState(200_000, 230_000, 0))
    last_ack = {at: 0.2 * 2**k for k in range(9) for at in range(60) if 0.2 * 2**k <= at < 0.2 * 2 ** (k + 1)}
    states = [(float(at), TransportState(200_000, 230_000, 0, at - last_ack.get(at, 0.0))) for at in range(1, 60)]
    assert set(verdicts(ping, *states)) == {"wait"}


def test_a_reader_that_takes_nothing_is_stalled_after_a_minute() -> None:
    ping = PendingPing(0, TransportState(200_000, 230_000, 0))
    stuck = TransportState(200_000, 230_000, 0)
    assert verdicts(ping, (59, stuck), (STALLED_SECONDS, stuck)) == ["wait", "stalled"]


def test_on_a_unix_socket_each_read_shows() -> None:
    ping, moved = PendingPing(0, TransportState(50_000, 50_000)), TransportState(49_000, 49_000)
    assert verdicts(ping, (10, moved), (24, moved), (25, moved)) == [
        "wait",
        "wait",
        "stalled",
    ]
    ping = PendingPing(0, TransportState(0, 0))
    assert verdicts(ping, (1, TransportState(0, 0)), (16, TransportState(0, 0))) == ["wait", "dead"]


def test_the_kernel_reports_waiting_and_taken_bytes(pair: tuple[socket.socket, socket.socket]) -> None:
    sender, reader = pair
    quiet = read_transport_state(sender, 0)
    assert (quiet.queued, quiet.unacknowledged, quiet.silent_seconds) == (0, 0, 0)
    sent = 0
    with suppress(BlockingIOError):
        while True:
            sent += sender.send(b"x" * 65_536)
    full = read_transport_state(sender, 1_000)
    assert full.acknowledged is not None
    assert quiet.acknowledged is not None
    assert 1_000 < full.queued <= full.unacknowledged == sent + 1_000 - (full.acknowledged - quiet.acknowledged)
    reader.settimeout(5)
    read = 0
    while read < 60_000:
        read += len(reader.recv(60_000))
    moved = read_transport_state(sender, 1_000)
    assert moved.acknowledged is not None
    assert moved.acknowledged > full.acknowledged
    # A connection that was reset has ended, or says that nothing waits: either way nothing fails.
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    reader.close()
    read_transport_state(sender, 0)
