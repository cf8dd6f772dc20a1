"""What touches the database runs a second time, on a PostgreSQL of its own in a temporary folder."""

import ctypes
import os
import pwd
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from realtime.tether import PR_SET_PDEATHSIG
from tests.cluster.running import Cluster
from tests.servers import ROOT

pytestmark = pytest.mark.cluster

FEWEST_TESTS = 30  # Fewer: the marker was lost somewhere.
SECONDS = 300
LIBC = ctypes.CDLL(None)


@pytest.fixture(scope="module")
def postgresql() -> Iterator[str]:
    """The URL of a running server: started by the server's own account where we are root, which it refuses."""
    binaries = find_binaries()
    as_user = (
        {"user": account(), "group": pwd.getpwnam(account()).pw_gid, "extra_groups": []} if os.getuid() == 0 else {}
    )
    # Short, since a socket lies in it, and open to that account.
    folder = Path(tempfile.mkdtemp(prefix="hubbub-pg-"))
    try:
        if as_user:
            shutil.chown(folder, account())
        options = {"cwd": folder, "capture_output": True, "text": True, "timeout": 60, **as_user}
        init = [binaries / "initdb", "-D", folder / "data", "-U", "hubbub", "--auth=trust", "--no-sync", "-E", "UTF8"]
        subprocess.run(init, check=True, **options)
        command = [
            os.fspath(binaries / "postgres"),
            "-D",
            f"{folder}/data",
            "-k",
            str(folder),
            "-c",
            "listen_addresses=",
        ]
        with (folder / "log").open("w") as log:
            server = subprocess.Popen(
                [*command, "-c", "fsync=off", "-c", "max_connections=60"],
                cwd=folder,
                stdout=log,
                stderr=log,
                # Ends with this process. The tether of the site's own children is not readable for that account.
                preexec_fn=end_with_parent,
                **as_user,
            )
        try:
            wait_until_ready(server, binaries, folder)
            yield f"postgres://hubbub@{str(folder).replace('/', '%2F')}/postgres"
        finally:
            server.send_signal(signal.SIGINT)  # The "fast" way to end: SIGTERM waits for its clients.
            server.wait(30)
    finally:
        shutil.rmtree(folder)


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
            assert (
                await one.post(
                    "general",
                    "Hello.",
                )
            )["type"] == "ok"
            assert (await other.event("message.posted"))["message"]["body"] == "Hello."
        assert site.stop() == 0
    assert not (tmp_path / "hubbub.sqlite3").exists()


def end_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def wait_until_ready(server: "subprocess.Popen[bytes]", binaries: Path, folder: Path) -> None:
    for _ in range(100):
        assert server.poll() is None, (folder / "log").read_text()
        asked = subprocess.run([binaries / "pg_isready", "-q", "-h", folder, "-t", "1"], timeout=10)
        if asked.returncode == 0:
            return
    raise AssertionError(f"PostgreSQL does not answer: {(folder / 'log').read_text()}")


def find_binaries() -> Path:
    """The newest PostgreSQL's programs; Debian keeps them off PATH."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert installed, "PostgreSQL is missing: sudo apt-get install postgresql"
    return installed[-1].parent


def account() -> str:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
