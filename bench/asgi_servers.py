"""Our application on each ASGI server of docs/servers.md: the server differs, all else is the same."""

import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from importlib import metadata, util
from pathlib import Path

import psutil

from bench.environment import Ground
from bench.load_client import Broken
from bench.machine import START_SECONDS
from bench.servers import NO_PINGS, Hubbub
from bench.stats import Row

OURS = "hubbub"
DEVELOPMENT = "pip install -r requirements-dev.txt"


class OnServer(Hubbub):
    """`project.asgi` on one server. `words`: the arguments of `python`, before the application."""

    package = ""
    beside: Sequence[str] = ()  # Packages that it needs as well.
    words: Sequence[str] = ()
    _worker = 0

    def __init__(
        self, ground: Ground, room: str = "", core: int | None = None, redis_socket: Path | None = None
    ) -> None:
        # All have one database, and a process sends what it finds there. So each server has a room of its own.
        super().__init__(ground, room or f"bench-{1 + NAMES.index(self.name)}", core, redis_socket)

    @classmethod
    def missing(cls) -> str | None:
        return None if all(util.find_spec(name) for name in (cls.package, *cls.beside)) else DEVELOPMENT

    def row(self) -> Row:
        is_ours = self.name == OURS
        return Row(self.name, self.label if is_ours else f"{self.label} {metadata.version(self.package)}")

    def command(self) -> Sequence[str]:
        return (sys.executable, *(word.replace("{port}", str(self.port)) for word in self.words), self.application)

    def start(self) -> None:
        """Return when the application answers: some servers listen before they have loaded it."""
        super().start()
        self.wait_until_healthy()
        self._worker = largest_of(super().pid)

    @property
    def pid(self) -> int:
        """The process that has the sockets: gunicorn, hypercorn and granian start it themselves."""
        return self._worker

    def wait_until_healthy(self) -> None:
        assert self.program is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.program.process.poll() is None:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=2):
                    return
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                time.sleep(0.05)
        raise Broken(f"{self.name} does not answer: {self.program.tail()}")


class Ours(OnServer):
    name = OURS
    label = "`hubbub.server`"
    package = "hubbub"
    words = ("-m", "hubbub.server", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", *NO_PINGS)


class Daphne(OnServer):
    name = label = package = "daphne"
    words = ("-m", "daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}", *NO_PINGS)


class Uvicorn(OnServer):
    name = label = package = "uvicorn"
    beside = ("websockets",)
    words = (
        *("-m", "uvicorn", "--host", "127.0.0.1", "--port", "{port}", "--log-level", "warning"),
        *("--ws-ping-interval", "3600", "--ws-ping-timeout", "3600"),
    )


class Gunicorn(OnServer):
    name = label = package = "gunicorn"
    beside = ("uvicorn", "websockets")
    words = (
        *("-m", "gunicorn", "-k", "bench.peers.quiet_worker.QuietWorker", "-b", "127.0.0.1:{port}"),
        *("--log-level", "warning", "--no-control-socket"),
    )


class Hypercorn(OnServer):
    name = label = package = "hypercorn"
    words = ("-m", "hypercorn", "-b", "127.0.0.1:{port}", "--log-level", "warning")


class Granian(OnServer):
    name = label = package = "granian"
    words = (
        *("-m", "granian", "--interface", "asgi", "--host", "127.0.0.1", "--port", "{port}"),
        *("--log-level", "warning"),
    )


KINDS: tuple[type[OnServer], ...] = (Ours, Daphne, Uvicorn, Gunicorn, Hypercorn, Granian)
NAMES = tuple(kind.name for kind in KINDS)


def unknown_names(names: Sequence[str]) -> str | None:
    """One line that names the first server that is not known; None if all are."""
    unknown = next((name for name in names if name not in NAMES), None)
    return unknown and f"--side {unknown}: no such server; the servers are {', '.join(NAMES)}"


def with_ours(names: Sequence[str]) -> Sequence[str]:
    """The chosen servers, and ours: ratios are to ours in the same run. Empty: all."""
    return [OURS, *(name for name in names if name != OURS)] if names else ()


def largest_of(pid: int) -> int:
    """The process with most memory among this one and those that it has started."""
    process = psutil.Process(pid)
    family = [process, *process.children(recursive=True)]
    return max(family, key=lambda member: member.memory_info().rss).pid
