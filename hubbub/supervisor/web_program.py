"""A web process of `manage.py up`: its socket on the common port, and how it is asked whether it is ready and alive."""

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
from hubbub.supervisor.liveness import Liveness, ask_ready
from hubbub.supervisor.programs import REPLACEMENT_SECONDS, ManagedProgram


@dataclass(kw_only=True)
class ManagedWeb(ManagedProgram):
    """A web process: its own listening socket on the common port, and a UNIX socket to ask it whether it is ready."""

    application: str
    host: str
    port: int
    run_dir: Path
    allowed_host: str
    stop_seconds: float = 15.0
    # Alone on its port: what comes while it restarts waits for it, since no other could take it.
    is_alone: bool = False
    unresponsive_seconds: float = 15.0
    _listener: socket.socket | None = None
    _started: int = 0
    _lives: dict[int, Liveness] = field(default_factory=dict)

    async def launch(self) -> Child:
        # Connections may wait on a socket of another one: who takes that over must not be long in coming.
        start_seconds = math.inf if self._listener is None else REPLACEMENT_SECONDS
        if self._listener is None:
            # Otherwise it listens itself, when it can accept.
            self._listener = bind(self.host, self.port)
            if self.is_alone:
                self._listener.listen(BACKLOG)
        # Numbered: while one replaces another both have theirs.
        self._started += 1
        path = self.run_dir / f"{self.name}.{self._started}.sock"
        path.unlink(missing_ok=True)
        escaped = "".join(f"\\{one}" if one in ":=\\" else one for one in os.fspath(path))
        descriptor = self._listener.fileno()
        child = await Child.start(
            [
                *(sys.executable, "-m", "hubbub.server", "-v", "0"),
                *("--fd", str(descriptor), "-e", f"unix:{escaped}:mode=600:lockfile=0"),
                self.application,
            ],
            show=self.show,
            environ=self.own_environ(),
            folder=self.folder,
            pass_fds=[descriptor, self.lock],
        )
        life = Liveness(path, self.allowed_host, self.unresponsive_seconds, start_seconds=start_seconds)
        self._lives[child.pid] = life
        return child

    async def probe(self, child: Child) -> str:
        life = self._lives.get(child.pid)
        if life is None or not life.path.exists():
            return "is starting"
        try:
            status, problem = await ask_ready(life.path, self.allowed_host)
        except (OSError, TimeoutError, ValueError) as error:
            return f"does not answer ({type(error).__name__})"
        self.is_wrong = status not in (200, 503)
        return problem

    async def leaves(self, child: Child) -> None:
        await self._lives[child.pid].draining.wait()

    async def falls_silent(self, child: Child) -> None:
        await self._lives[child.pid].watch()

    async def answers(self, child: Child) -> bool:
        return await self._lives[child.pid].answers()

    async def serves(self, child: Child) -> None:
        life = self._lives[child.pid]
        waits = [asyncio.create_task(one) for one in (life.answered.wait(), life.silent.wait(), child.ended())]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for one in waits:
            one.cancel()

    def silenced(self, child: Child) -> None:
        # One that has never answered hangs in its start. What comes has to go to the living, as after a crash.
        if not self._lives[child.pid].answered.is_set():
            self.crashed()

    async def stop(self) -> None:
        self.stopping = True
        # From now on connections are refused, instead of waiting for somebody who will not come.
        self._close()
        await super().stop()

    def clear(self, child: Child) -> None:
        if life := self._lives.pop(child.pid, None):
            life.path.unlink(missing_ok=True)
        if self.stopping:
            self._close()

    def accepts(self, child: Child) -> bool:
        # Alone, what comes waits for it anyway. Else it listens, and just after that makes its UNIX socket.
        return self.is_alone or self._lives[child.pid].path.exists()

    def crashed(self) -> None:
        # The kernel turns to the living ones at once; open, it would hold connections for the one to come. Closing is
        # not enough where the one that was replaced hangs: it has not let go of the socket.
        if self._listener is not None:
            with contextlib.suppress(OSError):  # It did not listen yet.
                self._listener.shutdown(socket.SHUT_RDWR)
        self._close()

    def _close(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
