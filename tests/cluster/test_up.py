"""`manage.py up`: spread of connections, restarts, stops."""

import asyncio
import os
import signal
import stat
import subprocess
import sys
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from hubbub.supervisor import private_redis
from tests.support.cluster import STOP_SECONDS, Cluster, until
from tests.support.servers import ROOT
from tests.support.up import (
    CONNECTIONS,
    ask,
    ask_privately,
    check_that_all_are_served,
    is_asked_to_end,
    pid_by,
)

pytestmark = pytest.mark.cluster


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


def test_up_prints_its_parts_and_the_first_password_works_once(new_cluster: Cluster) -> None:
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


async def test_a_process_killed_while_its_replacement_starts_holds_no_connection(unstarted: Cluster) -> None:
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
