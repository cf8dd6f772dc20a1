"""`manage.py chaos` as an operator runs it: it finds planted losses, reports no others, and leaves nothing behind."""

import os
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from hubbub.supervisor.private_redis import bound_to_parent
from tests.support.servers import ROOT

pytestmark = pytest.mark.cluster

SECONDS = 100.0


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short one: the names of sockets in it have little room."""
    with tempfile.TemporaryDirectory(prefix="storm-") as name:
        yield Path(name)


class Storm:
    """The command, started; its temporary files are in a folder that can be looked at."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.folder = folder
        self.output = ""
        self.process = subprocess.Popen(
            bound_to_parent([sys.executable, "manage.py", "chaos", "--processes", "2", *arguments]),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": os.fspath(folder)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, pattern: str) -> None:
        deadline = time.monotonic() + SECONDS
        while not re.search(pattern, self.output, re.MULTILINE):
            assert time.monotonic() < deadline, f"no {pattern!r} in:\n{self.output}"
            assert self.process.poll() is None, self.output
            time.sleep(0.05)

    def end(self, seconds: float = 0.0) -> int:
        """Its exit code; it is to run for `seconds`."""
        code = self.process.wait(seconds + SECONDS)
        self._reader.join(SECONDS)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code

    def web_processes(self) -> list[psutil.Process]:
        below = psutil.Process(self.process.pid).children(recursive=True)
        return [process for process in below if process.environ().get("HUBBUB_PROCESS", "").startswith("web-")]

    def left_behind(self) -> list[str]:
        """Files in its folder, and processes that have anything to do with it."""
        paths = [os.fspath(path) for path in self.folder.iterdir()]
        for entry in Path("/proc").iterdir():
            try:
                if entry.name.isdigit() and os.fsencode(self.folder) in (entry / "environ").read_bytes():
                    paths.append((entry / "cmdline").read_text())
            except OSError:
                pass  # It has just ended, or is somebody else's.
        return paths

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line


@pytest.mark.timeout(500)
@pytest.mark.parametrize("minutes", [0.25, pytest.param(5.0, marks=pytest.mark.soak)])
def test_a_storm_loses_no_message_and_leaves_nothing_behind(folder: Path, minutes: float) -> None:
    storm = Storm(folder, "--minutes", str(minutes))
    assert storm.end(minutes * 60) == 0, storm.output
    assert "21 clients in 3 rooms" in storm.output
    assert re.search(r"^lost 0, duplicated 0, out of order 0, invented 0, unanswered 0$", storm.output, re.MULTILINE)
    assert re.search(r"^\d\d:\d\d .* recovered in +\d", storm.output, re.MULTILINE)
    assert "tracebacks" not in storm.output
    assert storm.left_behind() == []


def test_a_message_that_vanishes_from_the_database_is_found_also_after_ctrl_c(folder: Path) -> None:
    storm = Storm(folder, "--minutes", "5")
    storm.wait_for(r"^\d\d:\d\d ")
    [database] = folder.glob("*/hubbub.sqlite3")
    with sqlite3.connect(database, timeout=20) as connection:
        connection.execute("DELETE FROM chat_message WHERE id = (SELECT MIN(id) FROM chat_message)")
    connection.close()
    storm.process.send_signal(signal.SIGINT)
    assert storm.end() == 1, storm.output
    assert re.search(r"^lost [1-9]", storm.output, re.MULTILINE)
    assert "was acknowledged and is not in the database" in storm.output
    assert storm.left_behind() == []


def test_a_second_ctrl_c_ends_it_without_a_comparison(folder: Path) -> None:
    storm = Storm(folder, "--minutes", "5")
    storm.wait_for("clients in 3 rooms")
    frozen = storm.web_processes()
    for process in frozen:
        process.suspend()  # The comparison has to wait for its answers.
    time.sleep(0.5)  # Six people say twenty things a second: some now wait for an answer.
    storm.process.send_signal(signal.SIGINT)
    storm.wait_for("^Faults done")
    storm.process.send_signal(signal.SIGINT)
    for process in frozen:
        process.resume()
    assert storm.end() == 130, storm.output
    assert "Stopped without a comparison." in storm.output
    assert "Traceback" not in storm.output
    assert storm.left_behind() == []
