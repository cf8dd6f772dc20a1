"""Present users, as members of a room see them, while tabs, processes and Redis come and go."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import Client, Frame
from tests.support.cluster import Cluster, until
from tests.support.redis_server import OwnRedis
from tests.support.stats import note

pytestmark = pytest.mark.cluster

GRACE = 2.0
LEASE = 4.0
QUICK = {"HUBBUB_PRESENCE_GRACE_SECONDS": f"{GRACE}", "HUBBUB_PRESENCE_LEASE_SECONDS": f"{LEASE}"}


class Page:
    """Somebody's open page: it comes back when its socket ends, and keeps who is present as docs/protocol.md says."""

    def __init__(self, cluster: Cluster, token: str, room: str, process: str | None) -> None:
        self._open: Callable[[], Any] = lambda: cluster.client(token=token, process=self.process)
        self._room = room
        self.process = process
        self.count: int | None = None
        self.names: set[str] | None = None
        self.joins = 0
        self.left: list[str] = []
        self.events: list[tuple[float, Frame]] = []
        self._task = asyncio.create_task(self._live())

    async def sees(self, *names: str, seconds: float = 10.0) -> None:
        """Wait until just these are shown."""
        try:
            await until(lambda: self.names == {*names}, seconds)
        except TimeoutError:
            raise AssertionError(f"{self.names} are shown, not {names}: {self.events}") from None

    async def close(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def _live(self) -> None:
        while True:
            with suppress(ConnectionClosed, OSError, TimeoutError):
                async with self._open() as client:
                    await self._follow(client)
            self.process = None  # Where the common port leads.
            await asyncio.sleep(0.1)

    async def _follow(self, client: Client) -> None:
        present = (await client.join(self._room)).get("present")
        self.count = present and present["count"]
        is_named = present and len(present["users"]) == present["count"]
        self.names = {user["name"] for user in present["users"]} if is_named else None
        self.joins += 1
        while True:
            event = await client.event("presence.changed", seconds=3600)
            self.events.append((time.monotonic(), event))
            self.count = event["count"]
            if event["joined"] is None:
                self.names = None
                continue
            self.left += [user["name"] for user in event["left"]]
            self.names = (self.names or set()) - {user["name"] for user in event["left"]}
            self.names |= {user["name"] for user in event["joined"]}


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis_server:
        redis_server.start()
        yield redis_server


@pytest.fixture(scope="module")
def site(redis: OwnRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("presence"), processes=2, REDIS_URL=redis.url, **QUICK) as cluster:
        yield cluster


@asynccontextmanager
async def in_a_room(cluster: Cluster) -> AsyncIterator[Callable[..., Page]]:
    """A function that opens a new room's page: `open_page(name, process)`."""
    room = f"room-{uuid4().hex[:8]}"
    create = f"from chat import services; services.create_room(slug={room!r}, title='Room')"
    await asyncio.to_thread(cluster.shell, create)
    names = ("alice", "bob", "charlie", "mona")
    tokens = {name: (await asyncio.to_thread(cluster.make_user, name))["token"] for name in names}
    async with AsyncExitStack() as stack:

        def open_page(name: str, process: str | None = None) -> Page:
            page = Page(cluster, tokens[name], room, process)
            stack.push_async_callback(page.close)
            return page

        yield open_page


@pytest.fixture
async def open_page(site: Cluster) -> AsyncIterator[Callable[..., Page]]:
    await until(lambda: {"web-1", "web-2"} <= site.sockets.keys())
    async with in_a_room(site) as opener:
        yield opener


Open = Callable[..., Page]


async def test_of_two_tabs_on_two_processes_only_the_last_to_close_is_a_leaving(open_page: Open) -> None:
    bob = open_page("bob", "web-2")
    await bob.sees("bob")
    tabs = [open_page("alice", "web-1"), open_page("alice", "web-2")]
    for page in (bob, *tabs):
        await page.sees("alice", "bob")
    await tabs[0].close()
    await asyncio.sleep(GRACE + 2)
    assert bob.left == []
    began = time.monotonic()
    await tabs[1].close()
    await bob.sees("bob")
    assert GRACE <= time.monotonic() - began < GRACE + 2.5
    assert bob.left == ["alice"]
    assert [user["name"] for _, event in bob.events for user in event["joined"]].count("alice") == 1


async def test_a_joined_page_knows_the_present_users_and_itself(open_page: Open) -> None:
    alice = open_page("alice", "web-1")
    await alice.sees("alice")
    bob = open_page("bob", "web-1")
    await until(lambda: bob.joins)
    assert bob.names is not None
    assert "bob" in bob.names
    # One who came within the same second is told with the next event.
    await bob.sees("alice", "bob", seconds=3)


async def test_a_reload_does_not_show(open_page: Open) -> None:
    alice, bob = open_page("alice", "web-1"), open_page("bob", "web-1")
    await alice.sees("alice", "bob")
    events_before = len(alice.events)
    for process in ("web-1", "web-2", "web-1"):
        await bob.close()
        await asyncio.sleep(GRACE / 10)  # The rest of GRACE is for a loaded machine to open the page.
        bob = open_page("bob", process)
        await bob.sees("alice", "bob")
    await asyncio.sleep(GRACE + 1.5)
    assert alice.left == []
    assert alice.names == {"alice", "bob"}
    assert len(alice.events) == events_before


async def test_events_are_gathered_to_one_a_second(open_page: Open) -> None:
    alice = open_page("alice", "web-1")
    await alice.sees("alice")
    alice.events.clear()
    pages = []
    for name in ("bob", "charlie", "mona") * 5:
        pages.append(open_page(name, "web-2"))
        await asyncio.sleep(0.2)
        await pages[-1].close()
    times = [at for at, _ in alice.events]
    assert times
    assert all(later - earlier > 0.8 for earlier, later in pairwise(times))


async def test_a_killed_process_leaves_no_ghost_and_keeps_returning_users_present(
    site: Cluster, open_page: Open
) -> None:
    await _check_killing(site, open_page, LEASE + 3)


@pytest.mark.soak
async def test_a_killed_processs_people_are_gone_within_thirty_seconds(own_cluster: Cluster) -> None:
    async with in_a_room(own_cluster) as opener:
        await _check_killing(own_cluster, opener, 30)


async def _check_killing(cluster: Cluster, open_page: Open, seconds: float) -> None:
    alice, mona = open_page("alice", "web-1"), open_page("mona", "web-1")
    bob, charlie = open_page("bob", "web-2"), open_page("charlie", "web-2")
    for page in (alice, mona, bob, charlie):
        await page.sees("alice", "bob", "charlie", "mona")
    victim = cluster.pid_of("web-2")
    assert victim
    os.kill(victim, signal.SIGSTOP)  # So that bob cannot be told as gone by his own closing.
    bob_closed = asyncio.create_task(bob.close())
    os.kill(victim, signal.SIGKILL)
    began = time.monotonic()
    await bob_closed
    await until(lambda: charlie.joins == 2)
    await alice.sees("alice", "charlie", "mona", seconds=seconds)
    gone = time.monotonic() - began
    note("gone after", gone)
    assert gone < seconds
    for page in (alice, mona):
        assert page.left == ["bob"]
    await until(lambda: cluster.pid_of("web-2") not in (None, victim) and "web-2" in cluster.sockets, 30)


async def test_data_that_redis_forgets_is_back_within_seconds(redis: OwnRedis, site: Cluster, open_page: Open) -> None:
    alice, bob = open_page("alice", "web-1"), open_page("bob", "web-2")
    await alice.sees("alice", "bob")
    await bob.sees("alice", "bob")
    for _ in range(3):
        redis.empty()
        await asyncio.sleep(0.7)
    began = time.monotonic()
    charlie = open_page("charlie", "web-1")
    mona = open_page("mona", "web-2")
    for page in (alice, bob, charlie, mona):
        await page.sees("alice", "bob", "charlie", "mona", seconds=5)
    note("rebuilt after", time.monotonic() - began)
    await asyncio.sleep(LEASE + 1.5)
    assert alice.left == bob.left == charlie.left == mona.left == []
    assert alice.names == bob.names == {"alice", "bob", "charlie", "mona"}


async def test_a_restart_of_redis_shows_no_user_as_gone(redis: OwnRedis, site: Cluster, open_page: Open) -> None:
    alice, bob = open_page("alice", "web-1"), open_page("bob", "web-2")
    await alice.sees("alice", "bob")
    redis.stop()
    charlie = open_page("charlie", "web-1")
    await until(lambda: charlie.joins)
    assert charlie.names == {"alice", "bob", "charlie"}
    await asyncio.sleep(LEASE + 1)
    assert alice.names == {"alice", "bob"}
    redis.start()
    for page in (alice, bob, charlie):
        await page.sees("alice", "bob", "charlie")
    await asyncio.sleep(LEASE + 2)
    assert alice.left == bob.left == charlie.left == []


async def test_a_rolling_restart_is_no_leave(site: Cluster, open_page: Open) -> None:
    names = ("alice", "bob", "charlie", "mona")
    pages = [open_page(name, process) for name, process in zip(names, ("web-1", "web-2") * 2, strict=True)]
    for page in pages:
        await page.sees(*names)
    pids = {name: site.pid_of(name) for name in ("web-1", "web-2")}
    os.kill(site.up.pid, signal.SIGHUP)
    await until(lambda: all(page.joins > 1 for page in pages), 60)
    await until(lambda: all(site.pid_of(name) not in (None, pid) for name, pid in pids.items()), 60)
    await asyncio.sleep(LEASE + GRACE + 2)
    for page in pages:
        assert page.left == []
        assert page.names == {*names}


async def test_above_a_hundred_only_the_number_is_sent(site: Cluster, open_page: Open) -> None:
    code = """
        from django.contrib.auth import get_user_model
        from hubbub.auth.tokens import create_token
        for number in range(100):
            user = get_user_model().objects.create_user(username=f"one-of-many-{number}")
            print(create_token(user=user, name="test", expires_at=None)[1])
        """
    tokens = (await asyncio.to_thread(site.shell, code)).split()
    alice = open_page("alice", "web-1")
    await alice.sees("alice")
    async with AsyncExitStack() as stack:
        for number, token in enumerate(tokens):
            page = Page(site, token, alice._room, f"web-{number % 2 + 1}")
            stack.push_async_callback(page.close)
        await until(lambda: alice.count == 101, 30)
        assert alice.events[-1][1]["joined"] is None
        assert alice.events[-1][1]["left"] is None
        bob = open_page("bob", "web-2")
        await until(lambda: alice.count == 102)
        assert (bob.count, bob.names) == (102, None)
    await alice.sees("alice", "bob", seconds=GRACE + 5)
    await bob.sees("alice", "bob")
