"""A run of `manage.py up` from outside: its processes, its answers, its refusals."""

import asyncio
import json
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

from tests.support.cluster import Cluster
from tests.support.servers import ROOT

CONNECTIONS = 30


def check_that_all_are_served(cluster: Cluster) -> None:
    for _ in range(CONNECTIONS):
        assert ask(f"{cluster.url}/healthz") == b"ok"


def pid_by(cluster: Cluster, mark: str) -> int | None:
    """The process with `mark` in its command line. The n-th process of web-1 has "web-1.n.sock"."""
    return next((pid for pid, line in cluster.pids().items() if mark in line), None)


def is_asked_to_end(pid: int) -> bool:
    """Whether SIGTERM is pending for a stopped process: ShdPnd in proc(5)."""
    pending = Path(f"/proc/{pid}/status").read_text().partition("ShdPnd:")[2].split()[0]
    return bool(int(pending, 16) >> (signal.SIGTERM - 1) & 1)


def ask(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:
        body: bytes = answer.read()
        return body


async def ask_privately(path: Path) -> tuple[int, dict[str, str]]:
    """Status and body of /readyz on this UNIX socket."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    return int(head.split()[1]), json.loads(body)


def refused(cluster: Cluster, *arguments: str) -> str:
    """Run `up` on this cluster's data; assert that it fails, and return its error output."""
    ran = subprocess.run(
        [sys.executable, "manage.py", "up", *arguments],
        cwd=ROOT,
        env=cluster.env,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ran.returncode == 1
    return ran.stderr
