"""The load sender bounds its posts in flight, and ignores frames that are no answer."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bench import machine
from bench.environment import ROOT
from bench.frames import server_frame
from bench.load_client import Broken
from bench.machine import Program
from bench.senders import WINDOW, HttpPoster, Poster, Script
from hubbub.delivery.frames import wire_bytes
from hubbub.supervisor import private_redis

SIZE = 100
CREATED = b"HTTP/1.1 201 Created\r\nServer: nginx\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello"


class Listener:
    """Collects the publications of a script."""

    def __init__(self, url: str) -> None:
        self.client = redis.from_url(url)
        self.pubsub = self.client.pubsub(ignore_subscribe_messages=True)
        self.pubsub.subscribe("channel")
        self.pubsub.get_message(timeout=5)

    def texts(self, quiet_seconds: float = 0.5) -> list[str]:
        """All that comes until it is quiet; the first is waited for."""
        messages: list[str] = []
        while (message := self.pubsub.get_message(timeout=quiet_seconds if messages else 20)) is not None:
            messages.append(message["data"].decode())
        return messages


@pytest.fixture
def published(tmp_path: Path) -> Iterator[tuple[Script, Listener]]:
    path = tmp_path / "redis.sock"
    with contextlib.ExitStack() as stack:
        stack.enter_context(private_redis.running(path))
        listener = Listener(f"unix://{path}")
        stack.callback(listener.client.close)
        stack.callback(listener.pubsub.close)
        command = (sys.executable, "-m", "bench.publisher", "redis", "channel")
        environ = os.environ | {"REDIS_URL": f"unix://{path}"}
        core, log = machine.client_core(), tmp_path / "publisher.log"
        program = Program(command, core=core, folder=ROOT, environ=environ, log=log, with_pipes=True)
        script = Script(program, SIZE, "abcdp")
        stack.callback(script.close)
        yield script, listener


def expected(numbers: range) -> list[str]:
    return [f"abcdp{number:08d}.".ljust(SIZE, "x") for number in numbers]


@pytest.mark.slow
def test_a_script_with_2000_messages_has_32_in_flight(published: tuple[Script, Listener]) -> None:
    script, listener = published
    frame = len(server_frame(bytes(SIZE)))
    script.begin(range(2000))
    assert listener.texts() == expected(range(WINDOW))
    # Half a frame more at the last member is not a message more.
    script.delivered(10 * frame + frame // 2)
    assert listener.texts() == expected(range(WINDOW, WINDOW + 10))
    script.delivered(1990 * frame)
    assert listener.texts() == expected(range(WINDOW + 10, 2000))


@pytest.mark.slow
def test_a_script_says_once_when_a_run_began(published: tuple[Script, Listener]) -> None:
    script, listener = published
    script.begin(range(40))
    script.delivered(20 * len(server_frame(bytes(SIZE))))
    first = script.sent_at()
    assert listener.texts() == expected(range(40))
    script.begin(range(40, 41))
    assert script.sent_at() > first
    assert listener.texts() == expected(range(40, 41))


@pytest.fixture
def wire() -> Iterator[tuple[socket.socket, socket.socket]]:
    client, server = socket.socketpair()
    with client, server:
        client.settimeout(5)
        server.settimeout(5)
        yield client, server


Wire = tuple[socket.socket, socket.socket]


def test_a_client_posts_the_next_message_when_one_is_answered(wire: Wire) -> None:
    client, server = wire
    poster = Poster(client, lambda number: b"%03d" % number, lambda payload: True, b"", window=2)
    poster.begin(range(5))
    assert server.recv(100) == b"000001"
    server.sendall(wire_bytes("ok"))
    poster.on_readable()
    assert server.recv(100) == b"002"


def test_a_stray_frame_releases_no_further_command(wire: Wire) -> None:
    client, server = wire
    poster = Poster(client, lambda number: b"%03d" % number, lambda payload: payload == b"mine", b"", window=2)
    poster.begin(range(5))
    server.recv(100)
    server.sendall(wire_bytes("a script's"))
    poster.on_readable()
    server.sendall(wire_bytes("mine"))
    poster.on_readable()
    assert server.recv(100) == b"002"


def test_answers_by_http_are_counted_however_they_are_cut(wire: Wire) -> None:
    client, server = wire
    for step in (1, 7, 1000):
        poster = HttpPoster(client, lambda number: b"%03d" % number, lambda payload: True, b"", window=1)
        poster.begin(range(3))
        for number in range(3):
            assert server.recv(100) == b"%03d" % number
            for at in range(0, len(CREATED), step):
                server.sendall(CREATED[at : at + step])
                poster.on_readable()


def test_two_answers_by_http_in_one_piece_are_two(wire: Wire) -> None:
    client, server = wire
    poster = HttpPoster(client, lambda number: b"%03d" % number, lambda payload: True, b"", window=2)
    poster.begin(range(4))
    assert server.recv(100) == b"000001"
    server.sendall(CREATED + CREATED)
    poster.on_readable()
    assert server.recv(100) == b"002003"


def test_a_post_that_is_refused_by_http_is_an_error(wire: Wire) -> None:
    client, server = wire
    poster = HttpPoster(client, lambda number: b"", lambda payload: True, b"")
    server.sendall(b"HTTP/1.1 413 Request Entity Too Large\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(Broken, match="413"):
        poster.on_readable()
