"""What touches the database runs a second time, on a PostgreSQL of its own in a temporary folder."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.running import Cluster
from tests.postgresql import PostgreSQL
from tests.servers import ROOT

pytestmark = pytest.mark.cluster

FEWEST_TESTS = 30  # Fewer: the marker was lost somewhere.
SECONDS = 300


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
        env=os.environ | {"TEST_DATABASE_URL": postgresql},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    passed = re.search(r"(\d+) passed", ran.stdout)
    assert passed
    assert int(passed[1]) >= FEWEST_TESTS
    assert not re.search(r"skipped|xfailed|failed", ran.stdout.splitlines()[-1])


async def test_the_whole_site_runs_on_postgresql(postgresql: str, tmp_path: Path) -> None:
    with Cluster(tmp_path, DATABASE_URL=postgresql) as site:
        assert "database   PostgreSQL, postgres" in site.text
        cookie = site.make_user("alice")["cookie"]
        async with (
            site.client(cookie=cookie, process="web-1") as one,
            site.client(cookie=cookie, process="web-2") as other,
        ):
            await other.join("general")
            assert (await one.post("general", "Hello."))["type"] == "ok"
            assert (await other.event("message.posted"))["message"]["body"] == "Hello."
        assert site.stop() == 0
    assert not (tmp_path / "hubbub.sqlite3").exists()
