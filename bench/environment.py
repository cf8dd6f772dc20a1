"""The environment of all sides during a run: a folder, a database for us and one for the peers, sockets for Redis."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import machine
from hubbub.supervisor import private_redis

ROOT = Path(__file__).resolve().parent.parent
USERS = 100
# The server's capacity is measured, not the limits of one user. The limits are active but never reached.
RAISED_LIMITS = {
    f"HUBBUB_{name}": "1000000"
    for name in (
        *("POSTS_PER_SECOND", "POSTS_BURST", "COMMANDS_PER_SECOND", "COMMANDS_BURST", "REFUSED_COMMANDS"),
        *("MAX_SOCKETS", "MAX_SOCKETS_PER_USER", "MAX_UNAUTHENTICATED"),
    )
}
ROOMS = tuple(f"bench-{number}" for number in range(1, 41))


@dataclass(frozen=True)
class Ground:
    """`cookies` of ours and `peer_cookies`: a session for each of USERS users in either database."""

    folder: Path
    cookies: list[str]
    peer_cookies: list[str]

    def redis_socket(self, name: str) -> Path:
        """Where a private Redis of this name listens, once it runs."""
        return self.folder / f"{name}.sock"

    @property
    def peer_database(self) -> Path:
        return self.folder / "peers.sqlite3"

    def environ(self, redis_socket: Path, **more: str) -> dict[str, str]:
        """For our own processes."""
        ours = {"HUBBUB_VAR": str(self.folder), "REDIS_URL": f"unix://{redis_socket}"}
        return _clean_environ() | RAISED_LIMITS | ours | more

    def peer_environ(self, redis_socket: Path, **more: str) -> dict[str, str]:
        return _clean_environ() | {
            "REDIS_URL": f"unix://{redis_socket}",
            "REDIS_SOCKET": str(redis_socket),
            "BENCH_DATABASE": str(self.peer_database),
            **more,
        }


@contextmanager
def prepared() -> Iterator[Ground]:
    """A ground. This process, and each Redis that it starts, runs on the load client's core while the block runs."""
    folder = Path(tempfile.mkdtemp(prefix="hubbub-bench-"))
    try:
        with machine.on_core(machine.client_core()):
            bare = Ground(folder, [], [])
            with private_redis.running(redis := bare.redis_socket("prepare")):
                ours = _prepare(bare.environ(redis, DJANGO_SETTINGS_MODULE="project.settings"), *ROOMS)
                settings = "bench.peers.channels_site.settings"
                peers = _prepare(bare.peer_environ(redis, DJANGO_SETTINGS_MODULE=settings))
            yield Ground(folder, ours, peers)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _prepare(environ: dict[str, str], *rooms: str) -> list[str]:
    command = [sys.executable, "-m", "bench.prepare", str(USERS), *rooms]
    ran = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120)
    if ran.returncode:
        raise RuntimeError(f"the database could not be made: {ran.stderr[-2000:]}")
    cookies: list[str] = json.loads(ran.stdout)["cookies"]
    return cookies


def _clean_environ() -> dict[str, str]:
    ours = ("HUBBUB_", "BENCH_", "DJANGO_", "DATABASE_URL", "REDIS_URL", "DEBUG", "ALLOWED_HOSTS")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}
