"""`manage.py release` as a child of the supervisor: a new process runs the new code and its migrations."""

import asyncio
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from hubbub.supervisor.child import Child, Console

PREFIX = "release: "  # Lines with it are shown while the release runs.
STOP_SECONDS = 5.0
CHECK = re.compile(r"\(\w+\.E\d+\)")


class ReleaseChild:
    """Runs a management command in `folder`, one run at a time, each for at most `seconds`."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        console: Console,
        environ: Mapping[str, str],
        folder: Path,
        lock: int,
        seconds: float,
    ) -> None:
        self._command = [sys.executable, "-m", "django", *arguments]
        self._console = console
        self._environ = environ
        self._folder = folder
        self._lock = lock
        self._seconds = seconds
        self._child: Child | None = None
        self._is_stopped = False

    async def run(self) -> str:
        """Run the command. Return why it failed, in one line; empty on success."""
        lines: list[str] = []

        def show(line: str) -> None:
            lines.append(line)
            if line.startswith(PREFIX):
                self._console.line("release", line.removeprefix(PREFIX))

        try:
            self._child = await Child.start(
                self._command, show=show, environ=self._environ, folder=self._folder, pass_fds=[self._lock]
            )
        except OSError as error:
            return f"the release failed to start: {error}"
        child = self._child
        try:
            if self._is_stopped:
                child.kill()
            async with asyncio.timeout(self._seconds):
                end = await child.ended()
        except TimeoutError:
            await child.stop(STOP_SECONDS)
            return f'the release took longer than {self._seconds:g} s and was ended (see HUBBUB["RELEASE_SECONDS"])'
        finally:
            self._child = None
        return "" if end == "exit code 0" else find_reason(lines) or end

    async def stop(self) -> None:
        """Stop it. A running migration is rolled back, unless it has `atomic = False`."""
        self._is_stopped = True
        if self._child is not None:
            await self._child.stop(STOP_SECONDS)

    def kill(self) -> None:
        if self._child is not None:
            self._child.kill()


def find_reason(lines: Sequence[str]) -> str:
    """Return why a command failed, from its output: a CommandError, a system check, or the last line."""
    output = [line.strip() for line in lines if line.strip()]
    for line in output:
        if line.startswith("CommandError: "):
            return line.removeprefix("CommandError: ")
    return next((line for line in output if CHECK.search(line)), output[-1] if output else "")
