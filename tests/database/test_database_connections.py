"""How many connections the web processes open on PostgreSQL while pages are asked for, and under which names."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from hubbub.threads import held_connections
from tests.support.cluster import Cluster, until
from tests.support.postgresql import PostgreSQL

pytestmark = pytest.mark.cluster

PAGES = 300
CLIENTS = 12  # At once, of each process: more than pages may be served at once.
IN_FLIGHT = 6
POOL = 12


@pytest.fixture(scope="module")
def postgresql() -> Iterator[PostgreSQL]:
    with PostgreSQL() as server:
        yield server


@pytest.mark.parametrize(
    ("name", "environ", "busy", "quiet"),
    [
        (
            "kept",  # With CONN_MAX_AGE=600.
            {"DJANGO_SETTINGS_MODULE": "tests.support.kept_connections"},
            held_connections() + IN_FLIGHT,
            held_connections(),
        ),
        ("pooled", {"HUBBUB_DATABASE_CONNECTIONS": str(POOL)}, POOL, POOL),
    ],
)
async def test_connections_of_a_process_are_bounded(
    postgresql: PostgreSQL, tmp_path: Path, name: str, environ: dict[str, str], busy: int, quiet: int
) -> None:
    settings = environ | {"HUBBUB_HOST_NAME": "blue", "HUBBUB_MAX_REQUESTS_IN_FLIGHT": str(IN_FLIGHT)}
    with (
        Cluster(tmp_path, DATABASE_URL=postgresql.create(name), **settings) as site,
        closing(psycopg.connect(postgresql.url, autocommit=True)) as observer,
    ):
        cookie = site.make_user("alice")["cookie"]

        def opened() -> Counter[str]:
            """The number of connections of each web process."""
            rows = observer.execute(
                "SELECT application_name, count(*) FROM pg_stat_activity "
                "WHERE datname = %s AND application_name LIKE 'hubbub blue/web-%%' GROUP BY 1",
                [name],
            )
            return Counter(dict(rows.fetchall()))

        paths = [site.sockets["web-1"], site.sockets["web-2"]]
        left = {path: iter(range(PAGES // 2)) for path in paths}
        clients = [asyncio.create_task(ask_for_pages(path, cookie, left[path])) for path in paths * CLIENTS]
        most: Counter[str] = Counter()
        while not all(client.done() for client in clients):
            most |= await asyncio.to_thread(opened)
        assert [status for client in clients for status in client.result()] == [200] * PAGES
        assert most.keys() == {"hubbub blue/web-1", "hubbub blue/web-2"}
        assert max(most.values()) <= busy
        assert await until(lambda: max(opened().values(), default=0) <= quiet)


async def ask_for_pages(path: Path, cookie: str, numbers: Iterator[int]) -> list[int]:
    """Ask a process for pages until the numbers are used up. Returns the status of each."""
    statuses = []
    for _ in numbers:
        reader, writer = await asyncio.open_unix_connection(path)
        lines = ("GET /rooms/general/ HTTP/1.1", "Host: localhost", f"Cookie: sessionid={cookie}", "Connection: close")
        writer.write("\r\n".join((*lines, "", "")).encode())
        statuses.append(int((await reader.read()).split(maxsplit=2)[1]))
        writer.close()
    return statuses
