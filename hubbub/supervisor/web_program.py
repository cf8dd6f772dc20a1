"""A web process of `manage.py up`: its socket on the shared port, and its readiness and liveness probes."""

import asyncio
import contextlib
import math
import os
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path

from hubbub.process.ports import BACKLOG, bind
from hubbub.supervisor.child import Child
from hubbub.supervisor.liveness import Liveness, read_readiness
from hubbub.supervisor.programs import REPLACEMENT_SECONDS, ManagedProgram


@dataclass(kw_only=True)
class ManagedWeb(ManagedProgram):
    """A web process with a listening socket on the shared port, and a UNIX socket for probes."""

    application: str
    host: str
    port: int
    run_dir: Path
    allowed_host: str
    stop_seconds: float = 15.0
    # The only process on its port: connections wait while it restarts, since no other process can accept them.
    is_alone: bool = False
    unresponsive_seconds: float = 15.0
    _listener: socket.socket | None = None
    _started: int = 0
    _liveness: dict[int, Liveness] = field(default_factory=dict)

    async def launch(self) -> Child:
        # On a socket that is taken over, connections may wait already: the start has a time limit.
        start_seconds = math.inf if self._listener is None else REPLACEMENT_SECONDS
        if self._listener is None:
            # Unless it is alone, the child listens itself when it can accept.
            self._listener = bind(self.host, self.port)
            if self.is_alone:
                self._listener.listen(BACKLOG)
        # Numbered: during a replacement both children have a UNIX socket.
        self._started += 1
        path = self.run_dir / f"{self.name}.{self._started}.sock"
        path.unlink(missing_ok=True)
        escaped = "".join(f"\\{character}" if character in ":=\\" else character for character in os.fspath(path))
        descriptor = self._listener.fileno()
        child = await Child.start(
            [
                *(sys.executable, "-m", "hubbub.server", "-v", "0"),
                *("--fd", str(descriptor), "-e", f"unix:{escaped}:mode=600:lockfile=0"),
                self.application,
            ],
            show=self.show,
            environ=self.program_environ(),
            folder=self.folder,
            pass_fds=[descriptor, self.lock],
        )
        liveness = Liveness(path, self.allowed_host, self.unresponsive_seconds, start_seconds=start_seconds)
        self._liveness[child.pid] = liveness
        return child

    async def probe(self, child: Child) -> str:
        liveness = self._liveness.get(child.pid)
        if liveness is None or not liveness.path.exists():
            return "starting"
        try:
            status, problem = await read_readiness(liveness.path, self.allowed_host)
        except (OSError, TimeoutError, ValueError) as error:
            return f"no answer ({type(error).__name__})"
        liveness.note_answer()  # A process that freezes right after its start is replaced as soon as any other.
        self.is_misconfigured = status not in (200, 503)
        return problem

    async def wait_draining(self, child: Child) -> None:
        await self._liveness[child.pid].draining.wait()

    async def wait_unresponsive(self, child: Child) -> None:
        await self._liveness[child.pid].watch()

    async def is_responsive(self, child: Child) -> bool:
        return await self._liveness[child.pid].is_responsive()

    async def wait_started(self, child: Child) -> None:
        liveness = self._liveness[child.pid]
        events = (liveness.answered.wait(), liveness.unresponsive.wait(), child.ended())
        tasks = [asyncio.create_task(event) for event in events]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    def on_unresponsive(self, child: Child) -> None:
        # A child that never answered hangs in its start. Connections must go to other processes, as after a crash.
        if not self._liveness[child.pid].answered.is_set():
            self.on_crash()

    async def stop(self) -> None:
        self.stopping = True
        # From now on connections are refused: no process would accept them.
        self._close()
        await super().stop()

    def clean_up(self, child: Child) -> None:
        if liveness := self._liveness.pop(child.pid, None):
            liveness.path.unlink(missing_ok=True)
        if self.stopping:
            self._close()

    def is_accepting(self, child: Child) -> bool:
        # A lone process has a listening socket from the start. Others listen just before they make the UNIX socket.
        return self.is_alone or self._liveness[child.pid].path.exists()

    def on_crash(self) -> None:
        # A closed socket makes the kernel use other processes at once; an open one would hold connections. Closing
        # alone is not enough where a replaced child hangs: it still has the socket open.
        if self._listener is not None:
            with contextlib.suppress(OSError):  # Not listening yet.
                self._listener.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
