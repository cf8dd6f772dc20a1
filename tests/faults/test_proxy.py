"""The proxy of the fault tests: each of its faults."""

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.proxy import Proxy


@pytest.fixture
def echo(tmp_path: Path) -> Iterator[Path]:
    """A UNIX socket that echoes its input."""
    path = tmp_path / "echo.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def answer(taken: socket.socket) -> None:
        with taken:
            while chunk := taken.recv(65_536):
                taken.sendall(chunk)

    def serve() -> None:
        while True:
            try:
                taken, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(taken,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield path
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def proxy(echo: Path) -> Iterator[Proxy]:
    with Proxy(echo) as proxy:
        yield proxy


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with connected(proxy) as connection:
        assert said_back(connection, b"ready")
        yield connection


def connected(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def said_back(client: socket.socket, text: bytes) -> bool:
    client.sendall(text)
    answer = b""
    while len(answer) < len(text):
        chunk = client.recv(65_536)
        assert chunk, "cut"
        answer += chunk
    return answer == text


def test_the_proxy_passes_data_on_both_ways(proxy: Proxy, client: socket.socket) -> None:
    big = bytes(range(256)) * 4_000
    sending = threading.Thread(target=client.sendall, args=(big,))
    sending.start()
    answer = b""
    while len(answer) < len(big):
        answer += client.recv(65_536)
    sending.join()
    assert answer == big
    assert proxy.connections == 1


def test_a_delay_is_added_each_way_and_keeps_the_order(proxy: Proxy, client: socket.socket) -> None:
    proxy.delay(0.1)
    began = time.monotonic()
    assert said_back(client, b"slow")
    assert 0.2 <= time.monotonic() - began < 1
    # Later bytes without a delay do not overtake it.
    client.sendall(b"1")
    deadline = time.monotonic() + 5
    proxy.delay(0)
    for _ in range(20):
        client.sendall(b"2")
    answer = b""
    while len(answer) < 21:
        assert time.monotonic() < deadline
        answer += client.recv(64)
    assert answer == b"1" + b"2" * 20


def test_a_cut_ends_the_connection_in_order(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut()
    assert client.recv(1) == b""
    with connected(proxy) as again:
        assert said_back(again, b"again")


def test_a_reset_ends_it_with_rst(proxy: Proxy, client: socket.socket) -> None:
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with connected(proxy) as again:
        assert said_back(again, b"again")


def test_a_black_hole_answers_nothing_and_loses_nothing(proxy: Proxy, client: socket.socket) -> None:
    proxy.black_hole()
    client.sendall(b"hello?")
    with connected(proxy) as late:
        for connection in (client, late):
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(5)
        proxy.pass_on()
        assert client.recv(6) == b"hello?"
        assert said_back(late, b"late")


def test_lost_connections_stay_silent_and_new_ones_pass(proxy: Proxy, client: socket.socket) -> None:
    proxy.lose()
    client.sendall(b"hello?")
    with connected(proxy) as other:
        assert said_back(other, b"new")
    proxy.pass_on()
    client.settimeout(0.2)
    with pytest.raises(TimeoutError):
        client.recv(1)


def test_the_proxy_refuses_while_away_and_returns_on_the_same_port(proxy: Proxy, client: socket.socket) -> None:
    url = proxy.url
    proxy.go_away()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(proxy)
    proxy.pass_on()
    assert proxy.url == url
    with connected(proxy) as again:
        assert said_back(again, b"again")


def test_a_target_that_is_away_resets_each_connection(tmp_path: Path) -> None:
    # At the latest when he listens: the reset may be there before he has been told that he is connected.
    with Proxy(tmp_path / "nobody.sock") as proxy, pytest.raises(ConnectionResetError), connected(proxy) as client:
        client.recv(1)


def test_a_socket_that_leaves_is_forgotten(proxy: Proxy, client: socket.socket) -> None:
    client.close()
    deadline = time.monotonic() + 5
    while proxy.connections:
        assert time.monotonic() < deadline
        time.sleep(0.01)
