"""The tests marked `database` run a second time, on a private PostgreSQL."""

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from tests.cluster.test_releases import check_rolling_release, check_two_first_starts
from tests.support.cluster import Cluster
from tests.support.postgresql import PostgreSQL
from tests.support.releases import add_migration, copy_project
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster

MIN_TESTS = 30  # Fewer: the marker was lost somewhere.
SECONDS = 1000


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a running server."""
    with PostgreSQL() as server:
        yield server.url


@pytest.mark.timeout(SECONDS + 60)
def test_the_database_tests_pass_on_postgresql(postgresql: str) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-m", "database and not soak", "-q", "--create-db", "-p", "no:cacheprovider"],
        cwd=ROOT,
        # It chooses its settings itself.
        env={name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
        | {"TEST_DATABASE_URL": postgresql},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed
    assert int(passed[1]) >= MIN_TESTS
    assert not re.search(r"skipped|xfailed|failed", ran.stdout.splitlines()[-1])


async def test_the_whole_site_runs_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    with Cluster(tmp_path, DATABASE_URL=postgresql) as site:
        assert "database   PostgreSQL, postgres" in site.text
        cookie = site.make_user("alice")["cookie"]
        async with (
            site.client(cookie=cookie, process="web-1") as client,
            site.client(cookie=cookie, process="web-2") as other,
        ):
            await other.join("general")
            assert (await client.post("general", "Hello."))["type"] == "ok"
            assert (await other.event("message.posted"))["message"]["body"] == "Hello."
        assert site.stop() == 0
    assert not (tmp_path / "hubbub.sqlite3").exists()


def new_database(url: str, name: str) -> str:
    with closing(psycopg.connect(url, autocommit=True)) as server:
        server.execute(f"CREATE DATABASE {name}")
    return url.rpartition("/")[0] + f"/{name}"


def test_two_first_starts_at_once_on_one_postgresql_both_come_up_and_one_shows_the_password(
    postgresql: str, tmp_path: Path
) -> None:
    check_two_first_starts(tmp_path, new_database(postgresql, "first_starts"))


@pytest.mark.soak
async def test_a_rolling_release_on_postgresql_fails_no_request_and_loses_no_message(
    postgresql: str, tmp_path: Path
) -> None:
    url, root = new_database(postgresql, "rolling"), copy_project(tmp_path / "project")
    with Cluster(tmp_path / "site", processes=3, root=root, DATABASE_URL=url) as site:
        await check_rolling_release(site)


def test_a_migration_that_waits_for_a_long_transaction_holds_no_writer_up(postgresql: str, tmp_path: Path) -> None:
    url = new_database(postgresql, "busy")
    site = Cluster(tmp_path / "site", root=copy_project(tmp_path / "project"), DATABASE_URL=url)
    site.manage("release")
    add_migration(site.root, "chat", "mood", 'migrations.AddField("room", "mood", models.IntegerField(null=True))')
    waits: list[float] = []
    done = threading.Event()

    def keep_writing() -> None:
        with closing(psycopg.connect(url, autocommit=True)) as writer:
            while not done.is_set():
                before = time.monotonic()
                writer.execute("UPDATE chat_room SET position = position")
                waits.append(time.monotonic() - before)
                time.sleep(0.01)

    writing = threading.Thread(target=keep_writing)
    with closing(psycopg.connect(url)) as reader:
        reader.execute("SELECT * FROM chat_room")  # The migration cannot begin before this transaction ends.
        writing.start()
        release = subprocess.Popen(
            [sys.executable, "manage.py", "release", "--additive"],
            cwd=site.root,
            env=site.env,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert release.stdout is not None
        said = release.stdout.readline()
        wait_for_another_try(url)
        assert release.poll() is None
        reader.rollback()
        assert release.wait(30) == 0
        release.stdout.close()
    done.set()
    writing.join()
    assert said == "release: a table is locked; the migration retries until it gets the lock\n"
    assert max(waits) < 0.9  # A post waits for a lock for 1.5 s.
    with closing(psycopg.connect(url)) as after:
        after.execute("SELECT mood FROM chat_room")


def wait_for_another_try(url: str) -> None:
    waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'ALTER TABLE %'"
    deadline = time.monotonic() + 20
    with closing(psycopg.connect(url, autocommit=True)) as observer:
        while observer.execute(waiting).fetchone() is None:
            assert time.monotonic() < deadline
            time.sleep(0.01)
