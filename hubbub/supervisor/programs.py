"""A program that the supervisor keeps running: its child is started, probed, restarted and replaced."""

import asyncio
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hubbub.process.refusals import REFUSED
from hubbub.supervisor.child import Child, Console

BACK_OFF_SECONDS = 0.5
MAX_BACK_OFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0  # A child that lived longer resets the back-off.
MAX_FAILED_STARTS = 5  # In a row, without being ready.
ORDERLY_END = "exit code 0"
REFUSED_END = f"exit code {REFUSED}"
PROBE_SECONDS = 0.1
SLOW_PROBE_SECONDS = 2.0  # A misconfigured child logs each probe, and its answer does not change.
REPLACEMENT_SECONDS = 30.0


class CannotStart(Exception):
    """A child failed repeatedly before it was ready, or is misconfigured. The text has the reason."""


@dataclass(kw_only=True)
class ManagedProgram:
    """One child that is restarted when it ends. Subclasses start, probe and watch a kind of child."""

    name: str
    console: Console
    environ: Mapping[str, str]
    folder: Path
    lock: int  # A descriptor that each child inherits: a later run waits until the last child closes it.
    stop_seconds: float = 5.0
    child: Child | None = None
    ready: asyncio.Event = field(default_factory=asyncio.Event)
    problem: str = "not started yet"
    is_misconfigured: bool = False  # It answers probes with an unexpected status: waiting does not help.
    stopping: bool = False
    restarts: int = 0  # After an unrequested end, unresponsive children included.
    unresponsive_restarts: int = 0
    # Shared by all programs of a supervisor: only one at a time is restarted in turn, or replaced as unresponsive.
    restart_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Held while the child is swapped, so that the end of the old one does not count as a crash.
    swap_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _alive: set[Child] = field(default_factory=set)
    # Set when a new child has replaced the old one: `keep_running` then watches the new one while the old one ends.
    _replaced: asyncio.Event = field(default_factory=asyncio.Event)
    _replacements: set[asyncio.Task[Any]] = field(default_factory=set)

    async def launch(self) -> Child:
        """Start a child."""
        raise NotImplementedError

    async def probe(self, child: Child) -> str:
        """Return why `child` is not ready; empty when it is."""
        raise NotImplementedError

    async def wait_draining(self, child: Child) -> None:
        """Return when `child`, which was ready, begins an orderly end that the supervisor did not request."""
        await asyncio.Event().wait()

    async def wait_unresponsive(self, child: Child) -> None:
        """Return when `child` has not answered for too long; never for a child without a probe."""
        await asyncio.Event().wait()

    async def is_responsive(self, child: Child) -> bool:
        return True

    async def wait_started(self, child: Child) -> None:
        """Return when the new `child` has answered, has not answered for too long, or has ended."""

    def clean_up(self, child: Child) -> None:
        """Remove the leftovers of an ended `child`."""

    def on_crash(self) -> None:
        """The child ended unrequested, and no other child can serve."""

    def on_unresponsive(self, child: Child) -> None:
        """`child` was killed as unresponsive, and its replacement is about to start."""

    def is_accepting(self, child: Child) -> bool:
        """Whether the starting `child` already accepts connections."""
        return True

    def did_start(self, lived_seconds: float) -> bool:
        """Whether the child that ended after `lived_seconds` had started successfully."""
        return self.ready.is_set()

    def show(self, line: str) -> None:
        self.console.line(self.name, line)

    def program_environ(self) -> dict[str, str]:
        """The environment of a process of this project: with its name and its counts of restarts."""
        counts = {"HUBBUB_RESTARTS": str(self.restarts), "HUBBUB_SILENT_RESTARTS": str(self.unresponsive_restarts)}
        return {**self.environ, "HUBBUB_PROCESS": self.name, **counts}

    async def keep_running(self) -> None:
        """Keep a child running until `stop`.

        Raises:
            CannotStart: after MAX_FAILED_STARTS failed starts in a row, or when the first child refuses the settings.
        """
        failed_starts = 0
        delay = BACK_OFF_SECONDS
        while not self.stopping:
            async with self.swap_lock:
                if self.stopping:
                    return
                child = self.child = self.child or await self._start()
                self._replaced.clear()
            started = time.monotonic()
            watches = [
                asyncio.create_task(watch(child)) for watch in (self._watch_readiness, self._watch_responsiveness)
            ]
            try:
                end = await self._end_unless_replaced(child)
            finally:
                for watch in watches:
                    watch.cancel()
            lived = time.monotonic() - started
            if not end:
                continue
            async with self.swap_lock:
                self._discard(child)
                if self.child is not child or self.stopping:
                    continue
                self.child = None
                # After an orderly end, connections that wait on its socket are served by the next child.
                if not self.ready.is_set() or end != ORDERLY_END:
                    self.on_crash()
            if end == REFUSED_END and self.restarts == 0:
                raise CannotStart(child.last_lines[-1] if child.last_lines else end)
            self.restarts += 1
            failed_starts = 0 if self.did_start(lived) else failed_starts + 1
            self.ready.clear()
            if failed_starts >= MAX_FAILED_STARTS:
                lines = "\n".join(f"    {line}" for line in child.last_lines)
                raise CannotStart(f"{self.name} failed to start {failed_starts} times ({end}). Last output:\n{lines}")
            if lived > SETTLED_SECONDS:
                delay = BACK_OFF_SECONDS
            self.console.line(self.name, f"ended ({end}); restarts in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_BACK_OFF_SECONDS)

    async def replace(self) -> str:
        """Start a new child, and end the old one when the new one is ready.

        Returns:
            Why the new child is not ready; empty on success.
        """
        async with self.swap_lock:
            old = self.child
            if old is None or self.stopping:
                return ""  # It is about to start anyway.
            new = await self._start()
            deadline = time.monotonic() + REPLACEMENT_SECONDS
            while problem := await self.probe(new):
                if old.has_crashed and not self.is_accepting(new):
                    # Connections would wait on the socket that the dead child shares with this one. They must go to
                    # other processes, as after any crash; `keep_running` starts a child on a new socket.
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
        """Stop the program and all its children."""
        self.stopping = True
        async with self.swap_lock:
            if self.child is not None:
                await self._end(self.child)
        if self._replacements:
            await asyncio.wait(self._replacements)  # Replaced children may still be ending.

    def kill(self) -> None:
        for child in self._alive:
            child.kill()

    async def _start(self) -> Child:
        child = await self.launch()
        self._alive.add(child)
        return child

    async def _end_unless_replaced(self, child: Child) -> str:
        """How `child` ended; empty when it was replaced before."""
        end, replaced = asyncio.create_task(child.ended()), asyncio.create_task(self._replaced.wait())
        try:
            await asyncio.wait([end, replaced], return_when=asyncio.FIRST_COMPLETED)
            return "" if replaced.done() else end.result()
        finally:
            end.cancel()
            replaced.cancel()

    async def _end(self, child: Child) -> None:
        end = await child.stop(self.stop_seconds)
        if end not in (ORDERLY_END, "killed by SIGTERM"):  # The latter has no handler to end in order.
            self.console.line(self.name, end)
        self._discard(child)

    def _discard(self, child: Child) -> None:
        self._alive.discard(child)
        self.clean_up(child)

    async def _watch_readiness(self, child: Child) -> None:
        while problem := await self.probe(child):
            self.problem = problem
            await asyncio.sleep(SLOW_PROBE_SECONDS if self.is_misconfigured else PROBE_SECONDS)
        self.problem = ""
        self.ready.set()
        await self.wait_draining(child)
        if self.child is child and not self.swap_lock.locked():
            self.console.line(self.name, "stops on a request from outside; a replacement starts")
            self._start_task(self.replace())

    async def _watch_responsiveness(self, child: Child) -> None:
        """Replace `child` when it is unresponsive."""
        while True:
            await self.wait_unresponsive(child)
            await self.restart_lock.acquire()
            is_replacing = False
            try:
                # It may have recovered while it waited for the lock.
                if not await self.is_responsive(child):
                    self._start_task(self._replace_unresponsive(child))
                    is_replacing = True
                    return
            finally:
                if not is_replacing:
                    self.restart_lock.release()

    async def _replace_unresponsive(self, child: Child) -> None:
        """Kill `child`, start a new one on the same socket, and release `restart_lock` when it serves."""
        try:
            async with self.swap_lock:
                if self.child is not child or self.stopping:
                    return
                self.unresponsive_restarts += 1
                self.restarts += 1
                self.console.line(self.name, f"unresponsive: killed and replaced ({self.unresponsive_restarts} so far)")
                child.kill()
                self.on_unresponsive(child)
                try:
                    new = self.child = await self._start()
                except OSError as error:
                    self.console.line(self.name, f"replacement failed to start: {error}")
                    return  # `keep_running` retries, as after a crash.
                self._replaced.set()
            await self.wait_started(new)
        finally:
            self.restart_lock.release()
        await child.ended()
        self._discard(child)

    def _start_task(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        """Run it in a task of its own: the tasks that watch a child are cancelled when the child ends."""
        task = asyncio.create_task(coroutine)
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)
