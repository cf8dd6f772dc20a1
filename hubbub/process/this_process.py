"""This process and its name."""

import itertools
import os
import secrets
import time
from dataclasses import dataclass

from hubbub.process.host import Host, this_host
from hubbub.process.metrics import COUNTERS


@dataclass(frozen=True, slots=True)
class Process:
    """`id` is unique over all hosts; `name` is for people."""

    host: Host
    name: str
    pid: int
    started_at: float

    @property
    def id(self) -> str:
        """Unique among all processes of all hosts."""
        return f"{self.host.id}:{self.name}:{self.pid}"


def _this_process() -> Process:
    pid = os.getpid()
    name = os.environ.get("HUBBUB_PROCESS") or f"pid-{pid}"
    return Process(host=this_host(), name=name, pid=pid, started_at=time.time())


def _count(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


PROCESS = _this_process()
COUNTERS.restarts = _count(os.environ.get("HUBBUB_RESTARTS"))
COUNTERS.silent_restarts = _count(os.environ.get("HUBBUB_SILENT_RESTARTS"))

# Connection names count up from a random number, so they differ between restarts.
_connections = itertools.count(secrets.randbits(32) << 16)


def new_connection_name() -> str:
    """The name of a new socket in logs."""
    return f"{PROCESS.name}:{next(_connections):x}"
