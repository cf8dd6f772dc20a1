"""Causes of Redis errors in words, from real servers that are full, read-only, locked, encrypted, or a Cluster."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from hubbub.process.redis_errors import MAX_CHARS, cause_of
from hubbub.supervisor.private_redis import bound_to_parent, find_binary
from tests.support.servers import free_port

pytestmark = pytest.mark.slow


@contextmanager
def server(folder: Path, *lines: str) -> Iterator[Path]:
    """A Redis of the system with these lines of configuration, on a UNIX socket."""
    binary = find_binary()
    assert binary
    path = folder / "redis.sock"
    network = () if any("port" in line for line in lines) else ("port 0",)
    config = "\n".join((f"unixsocket {path}", f"dir {folder}", 'save ""', *network, *lines))
    process = subprocess.Popen(
        bound_to_parent([str(binary.path), "-"]), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    try:
        process.communicate(config + "\n", timeout=0.01)
    except subprocess.TimeoutExpired:
        pass
    try:
        deadline = time.monotonic() + 10
        while not path.exists():
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield path
    finally:
        process.terminate()
        process.wait(10)


def cause_at(call: Callable[[], object]) -> str:
    with pytest.raises((redis.RedisError, OSError)) as failed:
        call()
    return cause_of(failed.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["maxmemory 1", "maxmemory-policy noeviction"], "out of memory"),
        (["replicaof 127.0.0.1 1", "replica-read-only yes"], "read-only: it is a replica"),
        (["requirepass secret"], "a password is required"),
        (["user default on nopass ~* &* -@all +@connection"], "permission denied"),
        (["cluster-enabled yes", "cluster-port 0"], "it is a Redis Cluster, which is not supported"),
    ],
)
def test_the_cause_of_a_real_error_has_its_name(tmp_path: Path, lines: list[str], words: str) -> None:
    if "cluster-enabled yes" in lines:
        ports = (f"port {free_port()}", f"cluster-port {free_port()}")
        lines = [*ports, "cluster-enabled yes", "cluster-config-file nodes.conf"]
    with server(tmp_path, *lines) as path, redis.Redis(unix_socket_path=str(path)) as client:
        assert words in cause_at(lambda: client.set("key", "value", px=1000))


def test_a_wrong_password_has_its_name(tmp_path: Path) -> None:
    with (
        server(tmp_path, "requirepass secret") as path,
        redis.Redis(unix_socket_path=str(path), password="wrong") as client,
    ):
        assert "wrong user or password" in cause_at(client.ping)
    assert cause_at(redis.Redis(unix_socket_path=str(path)).ping) == "its UNIX socket does not exist"


def test_a_wrong_ca_has_its_name(tmp_path: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost"),
            *("-keyout", "key.pem", "-out", "cert.pem"),
        ],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    tls, plain = free_port(), free_port()
    lines = [
        f"port {plain}",
        f"tls-port {tls}",
        "tls-cert-file cert.pem",
        "tls-key-file key.pem",
        "tls-auth-clients no",
    ]
    with (
        server(tmp_path, *lines, "tls-ca-cert-file cert.pem"),
        redis.from_url(f"rediss://localhost:{tls}") as client,
    ):
        assert "its TLS certificate is not trusted" in cause_at(client.ping)
    with redis.from_url(f"redis://localhost:{plain}") as client:
        assert cause_at(client.ping) == "connection refused: nothing listens there"


def test_an_event_without_a_name_is_one_bounded_line() -> None:
    words = cause_of(ValueError("odd\nthing " + "x" * 5000))
    assert words.startswith("ValueError: odd thing")
    assert len(words) <= MAX_CHARS
