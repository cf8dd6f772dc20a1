"""The supervisor of `manage.py up`: start programs in order, keep them running, restart one by one, stop in order."""

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
GIVE_UP_SECONDS = 30.0  # For a misconfigured program: waiting longer does not help.


class Supervisor:
    """Starts `stages` one after another, each when the previous one is ready, and stops them in reverse order.

    Args:
        stages: groups of programs; SIGHUP restarts those of the last one.
        console: where lines of the programs go.
        announce: called once, in a thread, when all programs are ready.
        release: runs before a restart; if it fails, no program is restarted.
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
        self._supervision: list[asyncio.Task[None]] = []
        self._stop_requested = asyncio.Event()
        self._stop_requested_at = 0.0
        self._restart: asyncio.Task[None] | None = None
        self._is_requested_again = False
        self._had_terminal = has_terminal()
        # On an overloaded host all programs may answer slowly: they must not be replaced all at once.
        self._restart_lock = asyncio.Lock()
        for stage in stages:
            for program in stage:
                program.restart_lock = self._restart_lock

    async def run(self) -> None:
        """Run until SIGINT, SIGTERM, or the end of the terminal.

        Raises:
            CannotStart: when a program does not start.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._request_stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            if await self._start():
                await asyncio.to_thread(self._announce)
                await self._wait_unless_stopped(self._stop_requested.wait())
                self._console.print("Stopping …")
        finally:
            await self._stop()

    async def _start(self) -> bool:
        """Whether all programs are ready; False when a stop was requested before."""
        for stage in self._stages:
            self._supervision += [asyncio.create_task(program.keep_running(), name=program.name) for program in stage]
            if not await self._wait_unless_stopped(self._all_ready(stage)):
                return False
        return True

    async def _all_ready(self, stage: Sequence[ManagedProgram]) -> bool:
        started = time.monotonic()
        while True:
            try:
                async with asyncio.timeout(SLOW_START_SECONDS):
                    for program in stage:
                        await program.ready.wait()
                return True
            except TimeoutError:
                pass
            for program in stage:
                if program.ready.is_set():
                    continue
                if program.is_misconfigured and time.monotonic() - started > GIVE_UP_SECONDS:
                    raise CannotStart(f"{program.name} is not ready after {GIVE_UP_SECONDS:g} s: {program.problem}.")
                self._console.line(program.name, f"not ready yet: {program.problem}")

    async def _wait_unless_stopped(self, awaited: Coroutine[Any, Any, bool]) -> bool:
        """The result of `awaited`; False when a stop was requested before. CannotStart when a program gave up."""
        result = asyncio.ensure_future(awaited)
        stop = asyncio.create_task(self._stop_requested.wait())
        try:
            await asyncio.wait([result, stop, *self._supervision], return_when=asyncio.FIRST_COMPLETED)
            for task in self._supervision:
                if task.done():
                    task.result()  # It ends only by raising.
            return result.result() if result.done() else False
        finally:
            result.cancel()
            stop.cancel()

    async def _stop(self) -> None:
        for stage in self._stages:
            for program in stage:
                program.stopping = True
        if self._release is not None:
            await self._release.stop()
        if self._restart is not None:
            # A restart ends when it sees `stopping`. Even if it failed, the programs must be stopped.
            await asyncio.wait([self._restart])
        for stage in reversed(self._stages):
            await asyncio.gather(*(program.stop() for program in stage))
        for task in self._supervision:
            task.cancel()
        await asyncio.gather(*self._supervision, return_exceptions=True)

    def _request_stop(self) -> None:
        if not self._stop_requested.is_set():
            self._stop_requested_at = time.monotonic()
            self._stop_requested.set()
        elif time.monotonic() - self._stop_requested_at > REPEATED_SIGNAL_SECONDS:
            # Ctrl-C may arrive twice, directly and through `make`: only a later signal is a second request.
            self._console.print("Killing remaining processes …")
            if self._release is not None:
                self._release.kill()
            for stage in self._stages:
                for program in stage:
                    program.kill()

    def _on_hangup(self) -> None:
        if self._had_terminal and not has_terminal():
            self._request_stop()  # The terminal was closed: this SIGHUP requests no restart.
        elif self._stop_requested.is_set():
            return
        elif self._restart is None or self._restart.done():
            self._restart = asyncio.create_task(self._release_and_restart())
        elif not self._is_requested_again:
            # The code may have changed after the running release read it.
            self._is_requested_again = True
            self._console.line("release", "requested again: one more release follows this one")

    async def _release_and_restart(self) -> None:
        while True:
            self._is_requested_again = False
            problem = "" if self._release is None else await self._release.run()
            if self._stop_requested.is_set():
                return
            if problem:
                self._console.line("release", f"refused, all processes keep running: {problem}")
            else:
                await self._restart_in_turn()
            if not self._is_requested_again or self._stop_requested.is_set():
                return

    async def _restart_in_turn(self) -> None:
        for program in self._stages[-1]:
            async with self._restart_lock:
                problem = await program.replace()
            if program.stopping:
                return
            if problem:
                self._console.line(program.name, f"unchanged: the replacement is not ready ({problem})")
                return
            self._console.line(program.name, "restarted")


def has_terminal() -> bool:
    """Whether this process has a controlling terminal that is still open."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
