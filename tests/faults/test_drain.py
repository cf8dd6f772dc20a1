"""A process that is asked to end loses nothing and refuses no client."""

import asyncio
import json
import os
import re
import signal
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from chaos.recording import Recorder
from tests.support.client import opened
from tests.support.cluster import Cluster, until
from tests.support.conversation import Talk
from tests.support.stats import note

pytestmark = pytest.mark.cluster

RESTART = 1012


@pytest.fixture(scope="module")
def own_cluster(mended: Cluster) -> Cluster:
    """One for all tests here: processes that end are replaced."""
    return mended


@pytest.fixture(autouse=True)
async def complete(own_cluster: Cluster) -> None:
    await until(lambda: own_cluster.pid_of("publisher"))
    for name in ("web-1", "web-2"):
        await until_it_serves(own_cluster, name)


async def until_it_serves(cluster: Cluster, name: str) -> None:
    """Wait for a process by name: the test before may have ended it, and its replacement has another socket."""
    async with asyncio.timeout(20):
        while True:
            with suppress(OSError, KeyError):
                if (await get_privately(cluster.sockets[name], "/healthz"))[1] == "ok":
                    return
            await asyncio.sleep(0.05)


async def test_a_terminated_process_sends_its_clients_away_and_is_replaced(talk: Talk) -> None:
    cluster = talk.cluster
    await talk.say(20)
    victim = cluster.pid_of("web-2")
    assert victim
    asked = time.monotonic()
    os.kill(victim, signal.SIGTERM)
    await talk.say(20)
    await until(lambda: not os.path.exists(f"/proc/{victim}"), 15)
    ended = time.monotonic() - asked
    await until(lambda: cluster.pid_of("web-2") not in (None, victim) and "web-2" in cluster.sockets)
    report = await talk.whole()
    note("ended after", ended)
    assert ended < 15
    for reader in talk.readers:
        lost = [end for end in reader.log.ends if end.was_joined]
        # A client that returns by the private socket at once is sent away again.
        assert {(end.code, end.reason) for end in lost} == {(RESTART, "Restart")}
        assert lost[0].at - asked < 10
    # Until the process has ended, a client that returns to it is sent away again, and waits longer each time.
    assert max(report.recoveries) < ended + 3
    # An end with another code than 0 is told.
    assert not [line for line in cluster.output if re.search(r"exit code [^0]|killed|Traceback", line)]


async def test_a_rolling_restart_under_load_refuses_and_loses_nothing(talk: Talk) -> None:
    cluster = talk.cluster
    await talk.say(20)
    async with visitors(cluster) as visits:
        cluster.up.send_signal(signal.SIGHUP)
        for name in ("web-1", "web-2", "publisher"):
            await asyncio.to_thread(cluster.wait_for_line, rf"^{name} .*restarted")
    await talk.say(20)
    report = await talk.whole()
    assert min(visits["page"], visits["socket"]) > 20
    ends = [end for member in talk.everybody for end in member.log.ends if end.was_joined]
    assert {end.code for end in ends} == {RESTART}
    assert max(report.recoveries) < 3


async def test_a_lone_process_restarts_without_refusing_a_connection(tmp_path: Path) -> None:
    with Cluster(tmp_path, processes=1) as cluster:
        before = cluster.pid_of("web-1")
        cookie = (await asyncio.to_thread(cluster.make_user, "member"))["cookie"]
        async with opened(cluster.url, cookie=cookie) as member, visitors(cluster) as visits:
            cluster.up.send_signal(signal.SIGHUP)
            await asyncio.to_thread(cluster.wait_for_line, r"^web-1 .*restarted")
            assert await member.closed() == (RESTART, "Restart")
            assert min(visits["page"], visits["socket"]) > 5
            visits.clear()
            await until(lambda: min(visits["page"], visits["socket"]) > 5)
        assert cluster.pid_of("web-1") not in (None, before)


@asynccontextmanager
async def visitors(cluster: Cluster) -> AsyncIterator[Counter[str]]:
    """A page and a socket of the common port are opened again and again; fails when one is refused. Counts them."""
    done = asyncio.Event()
    visits = Counter[str]()
    cookie = (await asyncio.to_thread(cluster.make_user, "visitor"))["cookie"]

    async def keep_visiting() -> None:
        while not done.is_set():
            await asyncio.to_thread(ask, f"{cluster.url}/healthz")
            visits["page"] += 1

    async def keep_connecting() -> None:
        while not done.is_set():
            async with opened(cluster.url, cookie=cookie):
                visits["socket"] += 1

    async with asyncio.TaskGroup() as group:
        for visit in (keep_visiting, keep_connecting):
            group.create_task(visit())
        yield visits
        done.set()


async def test_accepted_commands_are_answered_before_the_socket_closes(own_cluster: Cluster) -> None:
    token = (await asyncio.to_thread(own_cluster.make_user, "alice"))["token"]
    async with own_cluster.client(token=token, process="web-1") as client:
        await client.join("general")
        victim = own_cluster.pid_of("web-1")
        assert victim
        refs = list(range(100, 400))
        for ref in refs:
            await client.send(
                {"type": "message.post", "ref": ref, "topic": "room/general", "id": _id(ref), "body": "x"}
            )
            if ref == 110:
                os.kill(victim, signal.SIGTERM)
        assert (await client.closed())[0] == RESTART
    answers = [frame["ref"] for frame in client.unread if frame["type"] == "ok" and "result" in frame]
    # A beginning of what was sent, in order, and each saved; what is not answered was not begun.
    assert answers == refs[: len(answers)]
    saved = int(
        own_cluster.shell(
            "from chat.models import Message; print(Message.objects.filter(room__slug='general').count())"
        )
    )
    assert len(answers) == saved > 0


async def test_sockets_leave_over_seconds_while_the_process_says_that_it_ends(own_cluster: Cluster) -> None:
    token = (await asyncio.to_thread(own_cluster.make_user, "alice"))["token"]
    async with AsyncExitStack() as stack:
        people: list[Recorder] = []
        for number in range(200):
            people.append(
                await stack.enter_async_context(
                    Recorder(f"reader-{number}", "general", own_cluster.addresses_of("web-2"), token=token)
                )
            )
            if number % 10 == 9:
                # More at once do not all find room before the private socket, and go to the common port.
                await asyncio.gather(*(person.wait_until_joined(30) for person in people))
        people = [person for person in people if person.hello["connection"].startswith("web-2:")]
        assert len(people) >= 120
        # In a thread: this loop is busy with so many clients.
        answers = asyncio.create_task(asyncio.to_thread(ask_until_gone, own_cluster.sockets["web-2"]))
        os.kill(own_cluster.pid_of("web-2") or 0, signal.SIGTERM)
        await until(lambda: all(person.log.recoveries for person in people))
        assert {("/healthz", 200, "draining"), ("/readyz", 503, "draining")} <= await answers
    lost = sorted(person.log.recoveries[0].lost.at for person in people)
    assert 0.3 < lost[-1] - lost[0] < 8


async def test_a_request_in_work_is_answered(own_cluster: Cluster) -> None:
    redis = next(pid for pid, line in own_cluster.pids().items() if "redis-server" in line or "valkey" in line)
    # Readiness waits a second for a Redis that hangs.
    os.kill(redis, signal.SIGSTOP)
    asked = asyncio.create_task(get_privately(own_cluster.sockets["web-1"], "/readyz"))
    await asyncio.sleep(0.2)
    assert not asked.done()
    os.kill(own_cluster.pid_of("web-1") or 0, signal.SIGTERM)
    status, text = await asked
    os.kill(redis, signal.SIGCONT)
    assert (status, json.loads(text)["redis"]) == (503, "timeout")


def _id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012}"


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


def ask_until_gone(path: os.PathLike[str]) -> set[tuple[str, int, str]]:
    """The answers of a process until its socket is gone: (page, status, state)."""
    answers = set()
    with suppress(OSError):
        while True:
            answers.add(("/healthz", *asyncio.run(get_privately(path, "/healthz"))))
            status, text = asyncio.run(get_privately(path, "/readyz"))
            answers.add(("/readyz", status, json.loads(text)["state"]))
    return answers


async def get_privately(path: os.PathLike[str], page: str) -> tuple[int, str]:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(f"GET {page} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    if not head:
        raise ConnectionError
    return int(head.split()[1]), body.decode()
