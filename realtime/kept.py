"""What the supervisor keeps alive: Redis, the web processes, and commands beside them."""

import asyncio
import contextlib
import json
import os
import socket
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from realtime.children import Child, Console
from realtime.embedded_redis import Binary, answers
from realtime.listening import BACKLOG, bind

BACK_OFF_SECONDS = 0.5
MOST_BACK_OFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0  # Alive for so long: the next death starts the back-off anew.
MOST_FAILED_STARTS = 5  # In a row, before it ever was ready.
ORDERLY_END = "exit code 0"
PROBE_SECONDS = 0.1
PROBE_TIMEOUT_SECONDS = 3.0
LOOK_SECONDS = 0.5  # Between two looks whether one that serves is ending unasked.
REPLACEMENT_SECONDS = 30.0
COMMAND_SETTLES_SECONDS = 1.0
COMMAND_STARTS_SECONDS = 5.0


class CannotStart(Exception):
    """A child died again and again before it was ready, or answers wrongly; the text says why."""


@dataclass(kw_only=True)
class Kept:
    """One child that is started again when it ends."""

    name: str
    console: Console
    environ: Mapping[str, str]
    folder: Path
    lock: int  # Inherited by each child: a later run waits until the last one has let go of it.
    stop_seconds: float = 5.0
    child: Child | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str = "not started yet"
    is_wrong: bool = False  # It does answer, but neither that it is ready nor what it waits for.
    stopping: bool = False
    # Held while a child is being replaced, so that its end is not taken for a crash.
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _alive: set[Child] = field(default_factory=set)
    # Set when another has taken the child's place: `keep` then looks after that one, however long this one still ends.
    _replaced: asyncio.Event = field(default_factory=asyncio.Event)
    _replacements: set[asyncio.Task[str]] = field(default_factory=set)

    async def launch(self) -> Child:
        raise NotImplementedError

    async def probe(self, child: Child) -> str:
        """Why `child` is not ready; empty when it is."""
        raise NotImplementedError

    async def leaves(self, child: Child) -> None:
        """Return when `child`, which was ready, has begun to end in order though nobody here asked it to."""
        await asyncio.Event().wait()

    def clear(self, child: Child) -> None:
        """Put away what `child`, which has ended, left behind."""

    def crashed(self) -> None:
        """The child ended unasked, and there is no other, but one that is itself ending."""

    def accepts(self, child: Child) -> bool:
        """Whether `child`, which is starting, already takes what comes, if anything comes for it at all."""
        return True

    def came_up(self, lived_seconds: float) -> bool:
        """Whether the child that ended after so long had started properly."""
        return self.ready.is_set()

    def show(self, line: str) -> None:
        self.console.line(self.name, line)

    async def keep(self) -> None:
        """Keep it running until `stop`. CannotStart when it does not come up."""
        failed_starts = 0
        delay = BACK_OFF_SECONDS
        while not self.stopping:
            async with self.changing:
                if self.stopping:
                    return
                child = self.child = self.child or await self._start()
                self._replaced.clear()
            started = time.monotonic()
            watch = asyncio.create_task(self._watch(child))
            end = await self._end_unless_replaced(child)
            lived = time.monotonic() - started
            watch.cancel()
            if not end:
                continue
            async with self.changing:
                self._put_away(child)
                if self.child is not child or self.stopping:
                    continue
                self.child = None
                # Else somebody asked it to end: what waits on its socket waits for the next one.
                if not self.ready.is_set() or end != ORDERLY_END:
                    self.crashed()
            failed_starts = 0 if self.came_up(lived) else failed_starts + 1
            self.ready.clear()
            if failed_starts >= MOST_FAILED_STARTS:
                lines = "\n".join(f"    {line}" for line in child.last_lines)
                raise CannotStart(
                    f"{self.name} does not start ({end}, {failed_starts} times). Its last words:\n{lines}"
                )
            if lived > SETTLED_SECONDS:
                delay = BACK_OFF_SECONDS
            self.console.line(self.name, f"ended ({end}); starts again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, MOST_BACK_OFF_SECONDS)

    async def replace(self) -> str:
        """Start another, and end the present one when the other is ready. Why not, or empty."""
        async with self.changing:
            old = self.child
            if old is None or self.stopping:
                return ""  # It is being started anyway.
            new = await self._start()
            deadline = time.monotonic() + REPLACEMENT_SECONDS
            while problem := await self.probe(new):
                if old.has_crashed and not self.accepts(new):
                    # What comes for the dead one would wait for this one, which holds the same socket. As after any
                    # crash it has to go to the living, and `keep` starts another on a socket of its own.
                    await self._end(new)
                    return ""
                if not new.is_alive or self.stopping or time.monotonic() > deadline:
                    await self._end(new)
                    return problem
                await asyncio.sleep(PROBE_SECONDS)
            self.child = new
            self._replaced.set()
        await self._end(old)
        return ""

    async def stop(self) -> None:
        """End it for good."""
        self.stopping = True
        async with self.changing:
            if self.child is not None:
                await self._end(self.child)
        if self._replacements:
            await asyncio.wait(self._replacements)  # Those that were replaced may still be ending.

    def kill(self) -> None:
        for child in self._alive:
            child.kill()

    async def _start(self) -> Child:
        child = await self.launch()
        self._alive.add(child)
        return child

    async def _end_unless_replaced(self, child: Child) -> str:
        """How `child` ended, for people; empty when another has taken its place before that."""
        end, replaced = asyncio.create_task(child.ended()), asyncio.create_task(self._replaced.wait())
        try:
            await asyncio.wait([end, replaced], return_when=asyncio.FIRST_COMPLETED)
            return "" if replaced.done() else end.result()
        finally:
            end.cancel()
            replaced.cancel()

    async def _end(self, child: Child) -> None:
        end = await child.stop(self.stop_seconds)
        if end not in (ORDERLY_END, "killed by SIGTERM"):  # The latter had nothing to put in order.
            self.console.line(self.name, end)
        self._put_away(child)

    def _put_away(self, child: Child) -> None:
        self._alive.discard(child)
        self.clear(child)

    async def _watch(self, child: Child) -> None:
        while problem := await self.probe(child):
            self.problem = problem
            await asyncio.sleep(PROBE_SECONDS)
        self.problem = ""
        self.ready.set()
        await self.leaves(child)
        if self.child is child and not self.changing.locked():
            self.console.line(self.name, "ends as somebody asked it to; another takes its place")
            # A task of its own: this one is cancelled when the child has ended.
            replacement = asyncio.create_task(self.replace())
            self._replacements.add(replacement)
            replacement.add_done_callback(self._replacements.discard)


@dataclass(kw_only=True)
class KeptRedis(Kept):
    """The private Redis."""

    binary: Binary
    path: Path

    async def launch(self) -> Child:
        command = [os.fspath(self.binary.path), "-"]
        return await Child.start(
            command,
            show=self.show,
            environ=self.environ,
            folder=self.folder,
            pass_fds=[self.lock],
            text=self.binary.config(self.path),
        )

    async def probe(self, child: Child) -> str:
        return "" if answers(self.path) else "does not answer"

    def clear(self, child: Child) -> None:
        self.path.unlink(missing_ok=True)

    def show(self, line: str) -> None:
        # What it says of itself at start and stop is of no use to a newcomer.
        if self.ready.is_set() and not self.stopping:
            super().show(line)


@dataclass(kw_only=True)
class KeptCommand(Kept):
    """A management command that runs beside the web processes."""

    command: list[str]

    async def launch(self) -> Child:
        return await Child.start(
            [sys.executable, "-m", "django", *self.command],
            show=self.show,
            environ={**self.environ, "HUBBUB_PROCESS": self.name},
            folder=self.folder,
            pass_fds=[self.lock],
        )

    async def probe(self, child: Child) -> str:
        # It cannot be asked: one that lives for a second has found its settings and its modules.
        await asyncio.sleep(COMMAND_SETTLES_SECONDS)
        return "" if child.is_alive else "it ended at once"

    def came_up(self, lived_seconds: float) -> bool:
        return lived_seconds > COMMAND_STARTS_SECONDS


@dataclass(kw_only=True)
class KeptWeb(Kept):
    """A web process: its own listening socket on the common port, and a UNIX socket to ask it whether it is ready."""

    application: str
    host: str
    port: int
    run_dir: Path
    allowed_host: str
    stop_seconds: float = 15.0
    # Alone on its port: what comes while it restarts waits for it, since no other could take it.
    is_alone: bool = False
    _listener: socket.socket | None = None
    _started: int = 0
    _paths: dict[int, Path] = field(default_factory=dict)

    async def launch(self) -> Child:
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
                *(sys.executable, "-m", "realtime.server", "-v", "0"),
                *("--fd", str(descriptor), "-e", f"unix:{escaped}:mode=600:lockfile=0"),
                self.application,
            ],
            show=self.show,
            environ={**self.environ, "HUBBUB_PROCESS": self.name},
            folder=self.folder,
            pass_fds=[descriptor, self.lock],
        )
        self._paths[child.pid] = path
        return child

    async def probe(self, child: Child) -> str:
        path = self._paths.get(child.pid)
        if path is None or not path.exists():
            return "is starting"
        try:
            status, problem = await _ask_ready(path, self.allowed_host)
        except (OSError, TimeoutError, ValueError) as error:
            return f"does not answer ({type(error).__name__})"
        self.is_wrong = status not in (200, 503)
        return problem

    async def leaves(self, child: Child) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            try:
                _, body = await _get(self._paths[child.pid], "/healthz", self.allowed_host)
            except (OSError, TimeoutError, ValueError):
                continue
            if body == b"draining":
                return

    async def stop(self) -> None:
        self.stopping = True
        # From now on connections are refused, instead of waiting for somebody who will not come.
        self._close()
        await super().stop()

    def clear(self, child: Child) -> None:
        if path := self._paths.pop(child.pid, None):
            path.unlink(missing_ok=True)
        if self.stopping:
            self._close()

    def accepts(self, child: Child) -> bool:
        # Alone, what comes waits for it anyway. Else it listens, and just after that makes its UNIX socket.
        return self.is_alone or self._paths[child.pid].exists()

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


async def _ask_ready(path: Path, host: str) -> tuple[int, str]:
    """The status of /readyz on the UNIX socket `path`, and what it complains of: nothing when it is ready."""
    status, body = await _get(path, "/readyz", host)
    if status == 200:
        return status, ""
    if status != 503:
        return status, f"/readyz, asked as {host}, answers {status}"
    found = json.loads(body)
    complaints = (f"{part}: {found[part]}" for part in ("database", "redis") if found.get(part, "ok") != "ok")
    return status, ", ".join(complaints) or str(found.get("state"))


async def _get(path: Path, page: str, host: str) -> tuple[int, bytes]:
    """Status and body of a page on the UNIX socket `path`. OSError, TimeoutError or ValueError when there is none."""
    async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(f"GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head:
        raise ConnectionError
    return int(head.split(b" ", 2)[1]), body
