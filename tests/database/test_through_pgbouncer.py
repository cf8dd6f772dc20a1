"""The whole site behind a PgBouncer in transaction mode, with fewer server connections than clients."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing

import psycopg
import pytest

from hubbub.process.thread_connections import POSTGRESQL_LIMITS
from tests.cluster.test_topics import (  # noqa: F401
    Polls,
    serving_polls,
    test_a_vote_on_one_process_reaches_a_page_on_the_other,
    test_one_id_on_two_processes_at_the_same_instant_has_one_effect,
)
from tests.support.client import Client
from tests.support.cluster import Cluster
from tests.support.pgbouncer import PgBouncer
from tests.support.postgresql import PostgreSQL
from tests.support.servers import run

pytestmark = pytest.mark.cluster

POOL_SIZE = 5  # The smallest that docs/settings.md allows.
SOCKETS = 20  # Of each process.
POSTS = 5  # Of each socket, all at once.


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.fixture(scope="module")
def pgbouncer(postgresql: PostgreSQL) -> Iterator[PgBouncer]:
    with PgBouncer(postgresql, pool_size=POOL_SIZE, limited=["chat", "polls"], unlimited=["plain"]) as pooler:
        yield pooler


@pytest.fixture(scope="module")
def polls(pgbouncer: PgBouncer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polls]:
    with serving_polls(tmp_path_factory.mktemp("polls"), DATABASE_URL=pgbouncer.url("polls")) as polls:
        yield polls


@pytest.fixture(scope="module")
def site(pgbouncer: PgBouncer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """The site, after a first start that migrated the database through PgBouncer."""
    with Cluster(tmp_path_factory.mktemp("site"), DATABASE_URL=pgbouncer.url("chat")) as site:
        yield site


@pytest.fixture(scope="module")
def alice(site: Cluster) -> dict[str, str]:
    return site.make_user("alice")


@asynccontextmanager
async def members(site: Cluster, alice: dict[str, str], count: int) -> AsyncIterator[list[Client]]:
    """So many sockets on each process, in the room."""
    async with AsyncExitStack() as stack:
        sockets = [
            await stack.enter_async_context(site.client(cookie=alice["cookie"], process=process))
            for process in ("web-1", "web-2")
            for _ in range(count)
        ]
        joined = await asyncio.gather(*(socket.join("general") for socket in sockets))
        assert {answer["type"] for answer in joined} == {"ok"}
        yield sockets


async def post_all(socket: Client, bodies: list[str]) -> None:
    for body in bodies:
        assert (await socket.post("general", body))["type"] == "ok"


async def test_a_release_passes_twice(site: Cluster) -> None:
    assert "PostgreSQL, chat" in site.text
    site.manage("release", "--additive")


async def test_a_post_by_token_and_its_edit_reach_the_other_process(site: Cluster, alice: dict[str, str]) -> None:
    async with (
        site.client(token=site.make_user("bob")["token"], process="web-1") as writer,
        site.client(cookie=alice["cookie"], process="web-2") as reader,
    ):
        await reader.join("general")
        seq = (await writer.post("general", "Hallo."))["seq"]
        assert (await reader.event("message.posted"))["message"]["body"] == "Hallo."
        assert (await writer.ask("general", "message.edit", seq=seq, body="Hello."))["type"] == "ok"
        assert (await reader.event("message.edited"))["message"]["body"] == "Hello."
        assert (await writer.join("general"))["messages"][-1]["body"] == "Hello."


async def test_more_sockets_and_posts_than_server_connections(
    site: Cluster, alice: dict[str, str], pgbouncer: PgBouncer
) -> None:
    async with members(site, alice, SOCKETS) as sockets:
        bodies = [[f"{number}.{post}" for post in range(POSTS)] for number in range(len(sockets))]
        await asyncio.gather(*(post_all(socket, texts) for socket, texts in zip(sockets, bodies, strict=True)))
        sent = [body for texts in bodies for body in texts]
        copies = [[(await socket.event("message.posted"))["message"] for _ in sent] for socket in sockets]
    first = [message["seq"] for message in copies[0]]
    assert first == list(range(first[0], first[0] + len(sent)))
    assert sorted(message["body"] for message in copies[0]) == sorted(sent)
    assert all(copy == copies[0] for copy in copies)
    assert len(pgbouncer.show("CLIENTS", "chat")) > POOL_SIZE
    assert len(pgbouncer.show("SERVERS", "chat")) <= POOL_SIZE


async def test_a_row_that_is_held_too_long_fails_its_posts_and_no_later_ones(
    site: Cluster, alice: dict[str, str], postgresql: PostgreSQL
) -> None:
    site.shell("from chat import services; services.create_room(slug='quiet', title='Quiet')")
    async with members(site, alice, POOL_SIZE) as sockets:
        with closing(psycopg.connect(postgresql.url_of("chat"))) as holder:
            holder.execute("SELECT * FROM chat_room WHERE slug = 'general' FOR UPDATE")
            began = time.monotonic()
            refused = await asyncio.gather(sockets[0].post("general", "late"), sockets[-1].post("general", "late"))
            assert time.monotonic() - began < 4.5  # The lock_timeout of PgBouncer's connect_query is 1.5 s.
            assert [answer["code"] for answer in refused] == ["unavailable", "unavailable"]
            assert (await sockets[0].post("quiet", "in time"))["type"] == "ok"
            holder.rollback()
        await asyncio.gather(*(post_all(socket, ["a", "b", "c"]) for socket in sockets))


async def test_limits_of_a_job_stay_off_the_server_connections(site: Cluster, pgbouncer: PgBouncer) -> None:
    """Of a database without connect_query: another client may get each of its server connections next."""
    url = pgbouncer.url("plain")
    ran = await asyncio.to_thread(run, ["-c", JOBS], site.env | {"DATABASE_URL": url})
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "[1, 1, 1, 1] []\n"  # A pooler has fewer connections than clients: no W026.
    missing = ", ".join(POSTGRESQL_LIMITS)
    assert ran.stderr.count(f"database: pooler without {missing}, set them by its connect_query or on the role") == 1
    shown = ", ".join(f"current_setting('{name}')" for name in POSTGRESQL_LIMITS)

    async def ask() -> object:
        async with await psycopg.AsyncConnection.connect(url, prepare_threshold=None) as client:
            return await (await client.execute(f"SELECT {shown} FROM pg_sleep(4.3)")).fetchone()

    # Longer than statement_timeout, and all at once, so that each server connection has one.
    assert await asyncio.gather(*(ask() for _ in range(POOL_SIZE))) == [("0", "0", "0")] * POOL_SIZE


JOBS = """
import asyncio, django
django.setup()
from django.db import connection
from hubbub import threads
from hubbub.checks import check_server_connections

def job():
    with connection.cursor() as cursor:
        return cursor.execute("SELECT 1 FROM pg_sleep(0.3)").fetchone()[0]

async def main():
    done = await asyncio.gather(threads.write(job), *(threads.read(job) for _ in range(3)))
    print(done, await threads.read(check_server_connections, 1000))
    threads.close()

asyncio.run(main())
"""
