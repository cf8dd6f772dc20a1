"""Everything of the one-command run on one machine: start in order, keep alive, restart in turn, stop in order."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from hubbub.supervisor.child import Console
from hubbub.supervisor.programs import CannotStart, ManagedProgram
from hubbub.supervisor.release_child import ReleaseChild

REPEATED_SIGNAL_SECONDS = 1.0
SLOW_START_SECONDS = 10.0
GIVE_UP_SECONDS = 30.0  # On what answers, but not as it should: that is no matter of waiting.


class Supervisor:
    """Starts the groups of `stages` one after another, each when the one before is ready; stops them backwards.

    `announce` is called once, in a thread, when all are ready. `release` runs before processes are replaced; where it
    fails none is. `run` raises CannotStart when something does not come up.
    """

    def __init__(
        self,
        stages: Sequence[Sequence[ManagedProgram]],
        *,
        console: Console,
        announce: Callable[[], None],
        release: ReleaseChild | None = None,
    ) -> None:
        self._stages = stages
        self._console = console
        self._announce = announce
        self._release = release
        self._keepers: list[asyncio.Task[None]] = []
        self._stop_asked = asyncio.Event()
        self._stop_asked_at = 0.0
        self._restart: asyncio.Task[None] | None = None
        self._is_asked_again = False
        self._terminal = terminal_answers()
        # On a host under load all may be slow to answer: they must not be lost all at once.
        self._turn = asyncio.Lock()
        for stage in stages:
            for one in stage:
                one.turn = self._turn

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._ask_stop)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        try:
            if await self._start():
                await asyncio.to_thread(self._announce)
                await self._until(self._stop_asked.wait())
                self._console.print("Stopping …")
        finally:
            await self._stop()

    async def _start(self) -> bool:
        """Whether everything answers; False when it was stopped before."""
        for stage in self._stages:
            self._keepers += [asyncio.create_task(one.keep(), name=one.name) for one in stage]
            if not await self._until(self._all_ready(stage)):
                return False
        return True

    async def _all_ready(self, stage: Sequence[ManagedProgram]) -> bool:
        started = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(SLOW_START_SECONDS):
                    for one in stage:
                        await one.ready.wait()
                return True
            except TimeoutError:
                pass
            for one in stage:
                if one.ready.is_set():
                    continue
                if one.is_wrong and time.monotonic() - started > GIVE_UP_SECONDS:
                    raise CannotStart(f"{one.name} does not become ready: {one.problem}.")
                self._console.line(one.name, f"not ready yet: {one.problem}")

    async def _until(self, awaited: Coroutine[Any, Any, bool]) -> bool:
        """The result of `awaited`; False when a stop was asked for before, CannotStart when a keeper gave up."""
        wanted = asyncio.ensure_future(awaited)
        stop = asyncio.create_task(self._stop_asked.wait())
        try:
            await asyncio.wait([wanted, stop, *self._keepers], return_when=asyncio.FIRST_COMPLETED)
            for keeper in self._keepers:
                if keeper.done():
                    keeper.result()  # It ends only by raising.
            return wanted.result() if wanted.done() else False
        finally:
            wanted.cancel()
            stop.cancel()

    async def _stop(self) -> None:
        for stage in self._stages:
            for one in stage:
                one.stopping = True
        if self._release is not None:
            await self._release.stop()
        if self._restart is not None:
            # It sees that, and ends what it had begun. Whatever went wrong with it, the rest has to be stopped.
            await asyncio.wait([self._restart])
        for stage in reversed(self._stages):
            await asyncio.gather(*(one.stop() for one in stage))
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def _ask_stop(self) -> None:
        if not self._stop_asked.is_set():
            self._stop_asked_at = time.monotonic()
            self._stop_asked.set()
        elif time.monotonic() - self._stop_asked_at > REPEATED_SIGNAL_SECONDS:
            # One signal can come twice, to us and through `make`: only a later one means impatience.
            self._console.print("Killing what still runs …")
            if self._release is not None:
                self._release.kill()
            for stage in self._stages:
                for one in stage:
                    one.kill()

    def _hang_up(self) -> None:
        if self._terminal and not terminal_answers():
            self._ask_stop()  # The terminal was closed: nobody asked for a restart.
        elif self._stop_asked.is_set():
            return
        elif self._restart is None or self._restart.done():
            self._restart = asyncio.create_task(self._release_and_restart())
        elif not self._is_asked_again:
            # The code may have changed since that one has read it.
            self._is_asked_again = True
            self._console.line("release", "asked for again: another one follows when this one is done")

    async def _release_and_restart(self) -> None:
        while True:
            self._is_asked_again = False
            problem = "" if self._release is None else await self._release.run()
            if self._stop_asked.is_set():
                return
            if problem:
                self._console.line("release", f"refused, all processes stay as they are: {problem}")
            else:
                await self._restart_in_turn()
            if not self._is_asked_again or self._stop_asked.is_set():
                return

    async def _restart_in_turn(self) -> None:
        for one in self._stages[-1]:
            async with self._turn:
                problem = await one.replace()
            if one.stopping:
                return
            if problem:
                self._console.line(one.name, f"stays as it is: its replacement is not ready ({problem})")
                return
            self._console.line(one.name, "restarted")


def terminal_answers() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
