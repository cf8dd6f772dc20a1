"""The database is locked, gone or silent: posts are refused in time and not acknowledged, and all else goes on."""

import asyncio
import json
import sqlite3
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path
from uuid import uuid4

import pytest

from chaos.log import Answer
from tests.support.client import Client
from tests.support.cluster import Cluster
from tests.support.conversation import SETTLE_SECONDS, Talk, talking
from tests.support.postgresql import PostgreSQL
from tests.support.proxy import Proxy
from tests.support.stats import note

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

TROUBLE_SECONDS = [7.0, pytest.param(10.0, marks=pytest.mark.soak)]
ANSWER_SECONDS = 6.5  # Four by the clock of the process, five as promised, and what a busy machine is late.
PING_SECONDS = 1.0  # Far above a ping on a busy machine, far below one to a blocked loop or thread.
MAX_LINES = 24  # Of four pools in two processes and the publisher, for begin and end; one per post would be hundreds.


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture
def on_postgresql(postgresql: PostgreSQL, tmp_path: Path) -> Iterator[Cluster]:
    with Cluster(tmp_path, processes=2, DATABASE_URL=postgresql.url, HUBBUB_PREFIX="shop-1") as cluster:
        yield cluster


@pytest.mark.parametrize("seconds", TROUBLE_SECONDS)
async def test_a_locked_sqlite_refuses_posts_in_time_and_disturbs_nothing_else(
    own_cluster: Cluster, seconds: float
) -> None:
    async with talking(own_cluster) as talk, watching(own_cluster, talk) as watch:
        await talk.say(20)
        with closing(sqlite3.connect(own_cluster.folder / "hubbub.sqlite3", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            watch.begin()
            # Reads go on: a client joins and reads the history.
            async with own_cluster.client(cookie=watch.cookie, process="web-2") as newcomer:
                joined = await newcomer.join(talk.room)
                assert len(joined["messages"]) >= 20
            await watch.endure(seconds)
            assert await watch.readiness() == (503, "unavailable")
            holder.execute("ROLLBACK")
        await watch.recovered(within=2.0)


@pytest.mark.parametrize("seconds", TROUBLE_SECONDS)
async def test_a_postgresql_that_is_gone_is_used_again_when_it_is_back(
    postgresql: PostgreSQL, on_postgresql: Cluster, seconds: float
) -> None:
    async with talking(on_postgresql) as talk, watching(on_postgresql, talk) as watch:
        await talk.say(20)
        await asyncio.to_thread(postgresql.stop)
        watch.begin()
        try:
            await newcomers_are_sent_away(on_postgresql, watch.cookie)
            await watch.endure(seconds)
            assert await watch.readiness() == (503, "unavailable")
        finally:
            postgresql.start()
        await watch.recovered(within=5.0)


@pytest.mark.parametrize("seconds", TROUBLE_SECONDS)
async def test_a_frozen_postgresql_blocks_no_client(
    postgresql: PostgreSQL, on_postgresql: Cluster, seconds: float
) -> None:
    async with talking(on_postgresql) as talk, watching(on_postgresql, talk) as watch:
        await talk.say(20)
        postgresql.freeze()
        watch.begin()
        try:
            await newcomers_are_sent_away(on_postgresql, watch.cookie)
            await watch.endure(seconds)
            assert await watch.readiness() == (503, "unavailable")
        finally:
            postgresql.resume()
        await watch.recovered(within=5.0)


async def test_a_postgresql_behind_a_route_that_swallows_everything_is_given_up(
    postgresql: PostgreSQL, tmp_path: Path
) -> None:
    """These connections never answer again: a wait without a limit would never end."""
    with Proxy(postgresql.folder / ".s.PGSQL.5432") as proxy:
        url = f"postgres://hubbub@127.0.0.1:{proxy.port}/postgres"
        with Cluster(tmp_path, processes=2, DATABASE_URL=url, HUBBUB_PREFIX="shop-1") as cluster:
            async with talking(cluster) as talk, watching(cluster, talk) as watch, AsyncExitStack() as stack:
                await talk.say(20)
                readers = [
                    await stack.enter_async_context(
                        cluster.client(cookie=watch.cookie, process=f"web-{1 + number % 2}")
                    )
                    for number in range(8)
                ]
                proxy.black_hole()
                watch.begin()
                # Each of these gives up its job before the pool would: it must not hold its thread for ever either.
                wanted = [
                    asyncio.create_task(poster.ask(talk.room, command, **fields))
                    for poster, command, fields in (
                        (watch.sockets[0], "message.edit", {"seq": 1, "body": "changed"}),
                        (watch.sockets[1], "message.delete", {"seq": 1}),
                        *((client, "history", {"before": 9}) for client in readers),
                    )
                ]
                await newcomers_are_sent_away(cluster, watch.cookie)
                assert {(await task)["code"] for task in wanted} == {"unavailable"}
                await watch.endure(7.0)
                proxy.lose()
                await watch.recovered(within=10.0)
                for client in readers:
                    assert (await client.ask(talk.room, "history", before=9))["type"] == "ok"


async def test_a_postgresql_that_restarts_between_two_posts_costs_none(
    postgresql: PostgreSQL, on_postgresql: Cluster
) -> None:
    """Connections that ended while idle are detected before use."""
    alice = on_postgresql.make_user("alice")
    async with on_postgresql.client(cookie=alice["cookie"], process="web-1") as client:
        for body in ("before", "after"):
            assert (await client.post("general", body))["type"] == "ok"
            await asyncio.to_thread(postgresql.stop)
            postgresql.start()
            await until_ready(on_postgresql, "web-1")
        assert (await client.join("general"))["type"] == "ok"
        async with on_postgresql.client(cookie=alice["cookie"], process="web-1") as other:
            assert other.hello


async def test_queued_commands_are_refused_in_time(own_cluster: Cluster) -> None:
    """Each has its time from its receipt: a socket's edits wait two seconds for the lock, and one for the other."""
    alice = own_cluster.make_user("alice")
    async with own_cluster.client(cookie=alice["cookie"], process="web-1") as client:
        seq = (await client.post("general", "to be edited"))["seq"]
        with closing(sqlite3.connect(own_cluster.folder / "hubbub.sqlite3", isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            for ref in range(100, 110):
                await client.send(
                    {"type": "message.edit", "ref": ref, "topic": "room/general", "seq": seq, "body": f"edit {ref}"}
                )
            await client.send(
                {"type": "message.post", "ref": 110, "topic": "room/general", "id": str(uuid4()), "body": "behind them"}
            )
            answers = [await client.answer(ref) for ref in range(100, 111)]
            assert time.monotonic() - began < ANSWER_SECONDS
            assert {answer["code"] for answer in answers} == {"unavailable"}
            holder.execute("ROLLBACK")
        assert (await client.ask("general", "message.edit", seq=seq, body="now"))["type"] == "ok"
        # A command refused before its turn was never run.
        page = await client.join("general")
        assert [message["body"] for message in page["messages"]][-1] == "now"


class Watch:
    """Checks during trouble of the database: pings, samples, publications, open sockets."""

    def __init__(self, cluster: Cluster, talk: Talk, cookie: str, sockets: list[Client], monitor: Client) -> None:
        self.cookie = cookie
        self._cluster = cluster
        self._talk = talk
        self.sockets = sockets
        self._monitor = monitor
        self._began = self._ended = 0.0
        self._lines = 0

    def begin(self) -> None:
        self._began = time.monotonic()
        self._lines = len(self._cluster.output)

    async def endure(self, seconds: float) -> None:
        """Until `seconds` after `begin`."""
        until_then = max(1.0, self._began + seconds - time.monotonic())
        publishing = asyncio.to_thread(self._cluster.shell, PUBLISH.format(room=self._talk.room))
        samples, _, *pings = await asyncio.gather(
            count_samples(self._monitor, until_then),
            publishing,
            *(slowest_ping(socket, until_then) for socket in self.sockets),
        )
        for socket in self.sockets:
            await socket.event("test.noted", 1.0)
        note("ping", max(pings))
        assert max(pings) < PING_SECONDS
        assert samples >= until_then / 2 - 1
        self._ended = time.monotonic()

    async def recovered(self, within: float) -> None:
        """After the trouble: nothing was acknowledged in it, all was answered in time, and nothing is lost."""
        ended = time.monotonic()
        # The last posts may take long on a busy machine. How soon the first is saved again is measured below.
        await self._talk.whole(2 * SETTLE_SECONDS)
        tried = [sent for sent in self._talk.sent if sent.sent_at > self._began]
        answers: list[Answer] = [answer for sent in tried for answer in sent.answers]
        during = [sent for sent in tried if sent.sent_at < self._ended]
        assert len(during) > 50
        refused = {answer.frame["code"] for answer in answers if answer.frame and answer.frame["type"] == "error"}
        assert refused == {"unavailable"}
        assert min(sent.answered_at or 0.0 for sent in during) >= self._ended
        assert max(answer.after_seconds for answer in answers) < ANSWER_SECONDS
        assert not [end for member in self._talk.everybody for end in member.log.ends]
        first = min(sent.answered_at or 0.0 for sent in tried) - ended
        note("working again after", max(first, 0.0))
        assert first < within
        for socket in self.sockets:
            assert (await socket.request("ping"))["type"] == "pong"
        await until_ready(self._cluster, "web-1")
        lines = self._cluster.output[self._lines :]
        assert 1 <= len([line for line in lines if "database" in line]) <= len(lines) <= MAX_LINES

    async def readiness(self) -> tuple[int, str]:
        return await readiness(self._cluster, "web-1")


PUBLISH = """
    from hubbub.protocol import Event
    from hubbub.publish import publish
    class Noted(Event, tag="test.noted"):
        pass
    publish("t:room/{room}", Noted())
"""


@asynccontextmanager
async def watching(cluster: Cluster, talk: Talk) -> AsyncIterator[Watch]:
    name = f"watcher-of-{talk.room}"
    cookie = cluster.make_user(name, permission="view_dashboard")["cookie"]
    async with AsyncExitStack() as stack:
        sockets = []
        for process in ("web-1", "web-2"):
            sockets.append(await stack.enter_async_context(cluster.client(cookie=cookie, process=process)))
            assert (await sockets[-1].join(talk.room))["type"] == "ok"
        monitor = await stack.enter_async_context(cluster.client("/ws/monitor/", cookie=cookie, process="web-2"))
        await monitor.request("join", topic="metrics")
        await monitor.event("metrics.sampled")
        yield Watch(cluster, talk, cookie, sockets, monitor)


async def slowest_ping(client: Client, seconds: float) -> float:
    slowest = 0.0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        began = time.monotonic()
        await client.request("ping")
        slowest = max(slowest, time.monotonic() - began)
        await asyncio.sleep(0.05)
    return slowest


async def count_samples(monitor: Client, seconds: float) -> int:
    samples = 0
    try:
        async with asyncio.timeout(seconds):
            while True:
                await monitor.event("metrics.sampled", seconds)
                samples += 1
    except TimeoutError:
        return samples


async def newcomers_are_sent_away(cluster: Cluster, cookie: str) -> None:
    """At the handshake, in time: it is not known who they are, and they are to come back."""
    for process in ("web-1", "web-2"):
        began = time.monotonic()
        async with cluster.client(cookie=cookie, process=process, wait_for_hello=False) as newcomer:
            code, _ = await newcomer.closed()
        assert code == 4103
        assert time.monotonic() - began < ANSWER_SECONDS


async def readiness(cluster: Cluster, process: str) -> tuple[int, str]:
    """The status of /readyz, and the state that it tells."""
    reader, writer = await asyncio.open_unix_connection(cluster.sockets[process])
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    async with asyncio.timeout(10):
        answer = (await reader.read()).decode()
    writer.close()
    return int(answer.split()[1]), json.loads(answer.partition("\r\n\r\n")[2])["state"]


async def until_ready(cluster: Cluster, process: str) -> None:
    async with asyncio.timeout(20):
        while await readiness(cluster, process) != (200, "ok"):
            await asyncio.sleep(0.05)
