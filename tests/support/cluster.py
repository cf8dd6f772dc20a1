"""A run of `manage.py up` in a temporary folder: start, signals, processes, clients, counters."""

import asyncio
import json
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import Any

from chaos.connecting import Address
from hubbub.supervisor.private_redis import bound_to_parent, run_dir
from tests.support.client import Client, opened
from tests.support.servers import RAISED_LIMITS, ROOT, Site, fill

START_SECONDS = 60.0
STOP_SECONDS = 30.0


class Cluster(Site):
    """`manage.py up` with a database, a Redis and settings of its own.

    Database and static files are copied from a template, which is faster. With `is_new` the run makes them itself, and
    an administrator.
    """

    python = sys.executable
    command = ("manage.py", "up")

    def __init__(
        self,
        folder: Path,
        *,
        processes: int = 2,
        arguments: Sequence[str] = (),
        root: Path = ROOT,
        is_new: bool = False,
        **settings: str,
    ) -> None:
        # Without Site's: `up` itself migrates the database and starts Redis.
        self.folder = folder
        self.root = root
        self.env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("HUBBUB_") and name not in ("REDIS_URL", "DATABASE_URL")
        }
        self.env |= RAISED_LIMITS | {"HUBBUB_VAR": str(folder), **settings}
        self._filled_by = None if is_new else settings
        if self._filled_by is not None:
            self.env["HUBBUB_FIRST_ADMIN"] = "false"
        self.run_dir = run_dir(folder)
        self._arguments = ["--processes", str(processes), "--port", "0", *arguments]
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.output: list[str] = []
        self.url = ""

    def start(self) -> "Cluster":
        """Start the run without waiting."""
        if self._filled_by is not None:
            fill(self.folder, "hubbub.sqlite3", self._filled_by)
        # Bound to this process: a killed test run leaves no processes behind.
        self.up = subprocess.Popen(
            bound_to_parent([self.python, *self.command, *self._arguments]),
            cwd=self.root,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def wait_until_ready(self) -> None:
        self.url = self.wait_for_line(r"^Ready at (http://\S+)/$", START_SECONDS)[1]

    def wait_for_line(self, pattern: str, seconds: float = START_SECONDS) -> re.Match[str]:
        """Wait for a line of the output after the last match."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"no line {pattern!r} in:\n{self.text}") from None
            if match := re.search(pattern, line):
                return match

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal, wait, and return the exit code."""
        if self.up.poll() is None:
            self.up.send_signal(number)
        code = self.up.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        assert self.up.stdout is not None
        self.up.stdout.close()
        return code

    def __enter__(self) -> "Cluster":
        self.start()
        try:
            self.wait_until_ready()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self.up.stdout is not None and not self.up.stdout.closed:
                self.stop()
        finally:
            for pid in self.pids():
                _kill(pid)

    @property
    def text(self) -> str:
        return "\n".join(self.output)

    # Its processes

    @property
    def sockets(self) -> dict[str, Path]:
        """The private socket of each web process by name: {"web-1": …}."""
        paths = sorted(self.run_dir.glob("web-*.sock"), key=lambda path: int(path.name.split(".")[1]))
        return {path.name.split(".")[0]: path for path in paths}

    def pids(self) -> dict[int, str]:
        """All processes of this run, orphans included: {pid: command line}."""
        mark = f"HUBBUB_VAR={self.folder}".encode()
        pids = {}
        for entry in Path("/proc").iterdir():
            try:
                if not entry.name.isdigit():
                    continue
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                # Redis writes its title, with the socket's path, over its environment.
                if f"{self.run_dir}/redis.sock" in line or mark in (entry / "environ").read_bytes().split(b"\0"):
                    pids[int(entry.name)] = line
            except OSError:
                pass  # The process has ended, or belongs to another user.
        return pids

    def leftovers(self) -> list[Path]:
        """The files in the folder of sockets."""
        return list(self.run_dir.iterdir()) if self.run_dir.exists() else []

    def pid_of(self, name: str) -> int | None:
        """The process id of "web-1", "publisher" …; None while there is none."""
        mark = f"HUBBUB_PROCESS={name}".encode()
        for pid in self.pids():
            try:
                if mark in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0"):
                    return pid
            except OSError:
                pass
        return None

    @property
    def database_url(self) -> str:
        return self.env.get("DATABASE_URL") or f"sqlite:///{self.folder}/hubbub.sqlite3"

    # Clients

    def addresses_of(self, process: str) -> Callable[[], list[Address]]:
        """Addresses for a recorder: the process's current private socket, then the common port."""

        def addresses() -> list[Address]:
            path = self.sockets.get(process)
            return [*([Address(self.url, os.fspath(path))] if path else []), Address(self.url)]

        return addresses

    def client(
        self, path: str = "/ws/chat/", *, process: str | None = None, **more: Any
    ) -> AbstractAsyncContextManager[Client]:
        """A WebSocket client, by cookie=… or token=…; `process` selects one process."""
        return opened(self.url, path, unix_socket=str(self.sockets[process]) if process else None, **more)

    async def counters(self, process: str) -> dict[str, Any]:
        """The counters of the process since its start."""
        reader, writer = await asyncio.open_unix_connection(self.sockets[process])
        writer.write(b"GET /counters HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        body = (await reader.read()).partition(b"\r\n\r\n")[2]
        writer.close()
        values: dict[str, Any] = json.loads(body)["counters"]
        return values

    def _read(self) -> None:
        assert self.up.stdout is not None
        for line in self.up.stdout:
            self.output.append(line.rstrip("\n"))
            self._lines.put(self.output[-1])


async def until(condition: Callable[[], Any], seconds: float = 20.0) -> Any:
    """Wait for a true result of `condition`, and return it."""
    async with asyncio.timeout(seconds):
        while not (result := condition()):
            await asyncio.sleep(0.02)
        return result


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
