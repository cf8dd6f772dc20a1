"""What the supervisor keeps alive: how a child is started again or replaced; Redis, and commands beside it."""

import asyncio
import os
import sys
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hubbub.supervisor.child import Child, Console
from hubbub.supervisor.private_redis import Binary, answers

BACK_OFF_SECONDS = 0.5
MAX_BACK_OFF_SECONDS = 10.0
SETTLED_SECONDS = 30.0  # Alive for so long: the next death starts the back-off anew.
MAX_FAILED_STARTS = 5  # In a row, before it ever was ready.
ORDERLY_END = "exit code 0"
PROBE_SECONDS = 0.1
WRONG_PROBE_SECONDS = 2.0  # Each is a line of the child's log, and the next answer is the same.
REPLACEMENT_SECONDS = 30.0
COMMAND_SETTLES_SECONDS = 1.0
COMMAND_STARTS_SECONDS = 5.0


class CannotStart(Exception):
    """A child died again and again before it was ready, or answers wrongly; the text says why."""


@dataclass(kw_only=True)
class ManagedProgram:
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
    restarts: int = 0  # Starts after an end that nobody had asked for; `silences` of them ended a silence.
    silences: int = 0
    # Held while a silent child is replaced: of all that share it one at a time, the next only when that one serves.
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    # Held while a child is being replaced, so that its end is not taken for a crash.
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    _alive: set[Child] = field(default_factory=set)
    # Set when another has taken the child's place: `keep` then looks after that one, however long this one still ends.
    _replaced: asyncio.Event = field(default_factory=asyncio.Event)
    _replacements: set[asyncio.Task[Any]] = field(default_factory=set)

    async def launch(self) -> Child:
        raise NotImplementedError

    async def probe(self, child: Child) -> str:
        """Why `child` is not ready; empty when it is."""
        raise NotImplementedError

    async def leaves(self, child: Child) -> None:
        """Return when `child`, which was ready, has begun to end in order though nobody here asked it to."""
        await asyncio.Event().wait()

    async def falls_silent(self, child: Child) -> None:
        """Return when `child` has answered nothing for too long. A child that cannot be asked is never silent."""
        await asyncio.Event().wait()

    async def answers(self, child: Child) -> bool:
        return True

    async def serves(self, child: Child) -> None:
        """Return when `child`, which has just been started, has answered, or has been silent for too long."""

    def clear(self, child: Child) -> None:
        """Put away what `child`, which has ended, left behind."""

    def crashed(self) -> None:
        """The child ended unasked, and there is no other, but one that is itself ending."""

    def silenced(self, child: Child) -> None:
        """`child` was killed because it was silent, and another is about to be started."""

    def accepts(self, child: Child) -> bool:
        """Whether `child`, which is starting, already takes what comes, if anything comes for it at all."""
        return True

    def came_up(self, lived_seconds: float) -> bool:
        """Whether the child that ended after so long had started properly."""
        return self.ready.is_set()

    def show(self, line: str) -> None:
        self.console.line(self.name, line)

    def own_environ(self) -> dict[str, str]:
        """What tells a process of ours its name, and how often it has been started again."""
        counts = {"HUBBUB_RESTARTS": str(self.restarts), "HUBBUB_SILENT_RESTARTS": str(self.silences)}
        return {**self.environ, "HUBBUB_PROCESS": self.name, **counts}

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
            watches = [asyncio.create_task(watch(child)) for watch in (self._watch, self._guard)]
            try:
                end = await self._end_unless_replaced(child)
            finally:
                for watch in watches:
                    watch.cancel()
            lived = time.monotonic() - started
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
            self.restarts += 1
            failed_starts = 0 if self.came_up(lived) else failed_starts + 1
            self.ready.clear()
            if failed_starts >= MAX_FAILED_STARTS:
                lines = "\n".join(f"    {line}" for line in child.last_lines)
                raise CannotStart(
                    f"{self.name} does not start ({end}, {failed_starts} times). Its last words:\n{lines}"
                )
            if lived > SETTLED_SECONDS:
                delay = BACK_OFF_SECONDS
            self.console.line(self.name, f"ended ({end}); starts again in {delay:g} s")
            await asyncio.sleep(delay)
            delay = min(delay * 2, MAX_BACK_OFF_SECONDS)

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
            await asyncio.sleep(WRONG_PROBE_SECONDS if self.is_wrong else PROBE_SECONDS)
        self.problem = ""
        self.ready.set()
        await self.leaves(child)
        if self.child is child and not self.changing.locked():
            self.console.line(self.name, "ends as somebody asked it to; another takes its place")
            self._begin(self.replace())

    async def _guard(self, child: Child) -> None:
        """Have `child` replaced when it is silent."""
        while True:
            await self.falls_silent(child)
            await self.turn.acquire()
            begun = False
            try:
                # It may have waited for its turn, and have come back meanwhile.
                if not await self.answers(child):
                    self._begin(self._replace_silent(child))
                    begun = True
                    return
            finally:
                if not begun:
                    self.turn.release()

    async def _replace_silent(self, child: Child) -> None:
        """Kill `child`, and start another on the same socket, which serves what waits there. Gives back the turn."""
        try:
            async with self.changing:
                if self.child is not child or self.stopping:
                    return
                self.silences += 1
                self.restarts += 1
                self.console.line(
                    self.name, f"has not answered for too long; it is killed and replaced ({self.silences} so far)"
                )
                child.kill()
                self.silenced(child)
                try:
                    new = self.child = await self._start()
                except OSError as error:
                    self.console.line(self.name, f"its replacement cannot be started: {error}")
                    return  # `keep` tries again, as after a crash.
                self._replaced.set()
            await self.serves(new)
        finally:
            self.turn.release()
        await child.ended()
        self._put_away(child)

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        """In a task of its own: what watches a child is cancelled when that has ended."""
        task = asyncio.create_task(work)
        self._replacements.add(task)
        task.add_done_callback(self._replacements.discard)


@dataclass(kw_only=True)
class ManagedRedis(ManagedProgram):
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
class ManagedCommand(ManagedProgram):
    """A management command that runs beside the web processes."""

    command: list[str]

    async def launch(self) -> Child:
        return await Child.start(
            [sys.executable, "-m", "django", *self.command],
            show=self.show,
            environ=self.own_environ(),
            folder=self.folder,
            pass_fds=[self.lock],
        )

    async def probe(self, child: Child) -> str:
        # It cannot be asked: one that lives for a second has found its settings and its modules.
        await asyncio.sleep(COMMAND_SETTLES_SECONDS)
        return "" if child.is_alive else "it ended at once"

    def came_up(self, lived_seconds: float) -> bool:
        return lived_seconds > COMMAND_STARTS_SECONDS
