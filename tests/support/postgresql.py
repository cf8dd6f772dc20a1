"""A private PostgreSQL in a temporary folder: start, stop, freeze."""

import ctypes
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from hubbub.supervisor.die_with_parent import PR_SET_PDEATHSIG

START_SECONDS = 30.0
LIBC = ctypes.CDLL(None)


class PostgreSQL:
    """A context manager. Under root it uses the account `postgres`, since PostgreSQL refuses root."""

    def __init__(self) -> None:
        self._binaries = find_binaries()
        is_root = os.getuid() == 0
        # For subprocess.Popen.
        self.account: dict[str, Any] = (
            {"user": account(), "group": pwd.getpwnam(account()).pw_gid, "extra_groups": []} if is_root else {}
        )
        # Short, since a socket lies in it, and open to that account.
        self.folder = Path(tempfile.mkdtemp(prefix="hubbub-pg-"))
        if is_root:
            shutil.chown(self.folder, account())
        self.url = f"postgres://hubbub@{str(self.folder).replace('/', '%2F')}/postgres"

    def __enter__(self) -> "PostgreSQL":
        try:
            init = [self._binaries / "initdb", "-D", self.folder / "data", "-U", "hubbub"]
            subprocess.run(
                [*init, "--auth=trust", "--no-sync", "-E", "UTF8"],
                check=True,
                cwd=self.folder,
                capture_output=True,
                text=True,
                timeout=60,
                **self.account,
            )
            self.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self._server.poll() is None:
                self.resume()
                self.stop()
        finally:
            shutil.rmtree(self.folder)

    def start(self) -> None:
        """Call it in the main thread: the server ends with the thread that started it."""
        command = [os.fspath(self._binaries / "postgres"), "-D", f"{self.folder}/data", "-k", os.fspath(self.folder)]
        with (self.folder / "log").open("a") as log:
            self._server = subprocess.Popen(
                [*command, "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60"],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                # Ends with this process. The tether of the site's own children is not readable for that account.
                preexec_fn=end_with_parent,
                **self.account,
            )
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self._server.poll() is None, self.log
            asked = subprocess.run(
                [self._binaries / "pg_isready", "-q", "-h", self.folder, "-t", "1"], check=False, timeout=10
            )
            if asked.returncode == 0:
                return
            time.sleep(0.05)
        raise AssertionError(f"PostgreSQL does not answer: {self.log}")

    def stop(self) -> None:
        """End it and all its connections."""
        self._server.send_signal(signal.SIGINT)  # The "fast" way to end: SIGTERM waits for its clients.
        self._server.wait(START_SECONDS)

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop the server for the block, and start it again."""
        self.stop()
        try:
            yield
        finally:
            if self._server.poll() is not None:
                self.start()

    def create(self, name: str) -> str:
        """A new database; its URL."""
        self._run("createdb", name)
        return self.url_of(name)

    def url_of(self, name: str) -> str:
        """The URL of a database."""
        return f"{self.url.removesuffix('postgres')}{name}"

    def copy(self, name: str, copy: str) -> str:
        """A new database from a dump of another; its URL."""
        url = self.create(copy)
        self._run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-d", copy, input=self._run("pg_dump", name))
        return url

    def _run(self, program: str, *arguments: str, input: str | None = None) -> str:
        command = [self._binaries / program, "-h", self.folder, "-U", "hubbub", *arguments]
        return subprocess.run(
            command, check=True, cwd=self.folder, input=input, stdout=subprocess.PIPE, text=True, timeout=60
        ).stdout

    def freeze(self) -> None:
        """Freeze every process of the server: connections stay open, and nothing answers."""
        self._signal_all(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal_all(signal.SIGCONT)

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def _signal_all(self, number: signal.Signals) -> None:
        server = psutil.Process(self._server.pid)
        # The server first: what has stopped begins no other.
        for process in [server, *server.children(recursive=True)]:
            try:
                process.send_signal(number)
            except psutil.NoSuchProcess:
                pass


def end_with_parent() -> None:
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def find_binaries() -> Path:
    """The newest PostgreSQL's programs; Debian keeps them off PATH."""
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    assert installed, "PostgreSQL is missing: sudo apt-get install postgresql"
    return installed[-1].parent


def account() -> str:
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        return "nobody"
