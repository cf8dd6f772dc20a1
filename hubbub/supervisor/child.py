"""One running child process of the supervisor: its start, its output line by line, its end."""

import asyncio
import collections
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hubbub.supervisor.private_redis import bound_to_parent

LAST_LINES = 15  # Shown when it fails to start: enough for the end of a traceback.
READ_BYTES = 65_536
MAX_LINE_BYTES = 16_384
END_OF_OUTPUT_SECONDS = 1.0

# ANSI colours of prefixes, in turn. Red is reserved for errors.
COLOURS = ("36", "33", "32", "35", "34")


class Console:
    """Prints prefixed lines on standard output, coloured on a terminal."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._names: list[str] = []

    def line(self, name: str, text: str) -> None:
        if name not in self._names:
            self._names.append(name)
        prefix = f"{name:<9} |"
        if self._colours:
            prefix = f"\x1b[{COLOURS[self._names.index(name) % len(COLOURS)]}m{prefix}\x1b[0m"
        self.print(f"{prefix} {text}")

    def print(self, text: str) -> None:
        encoding = sys.stdout.encoding or "utf-8"
        try:
            # A character that the terminal cannot show must not stop the reader: the child would block on its pipe.
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            sys.stdout.flush()
        except OSError:
            pass  # The terminal is gone; serving continues.


class Child:
    """A process in its own session, so that Ctrl-C reaches it only through the supervisor, in order."""

    def __init__(self, process: asyncio.subprocess.Process, show: Callable[[str], None]) -> None:
        self._process = process
        self._show = show
        self.last_lines: collections.deque[str] = collections.deque(maxlen=LAST_LINES)
        self._reader = asyncio.create_task(self._read_output())

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        show: Callable[[str], None],
        environ: Mapping[str, str],
        folder: Path,
        pass_fds: Sequence[int] = (),
        text: str = "",
    ) -> "Child":
        """Start a child that ends with this process.

        Args:
            command: the program and its arguments.
            show: receives each line that the child writes.
            environ: its environment.
            folder: its working directory.
            pass_fds: descriptors that it inherits.
            text: its standard input.
        """
        process = await asyncio.create_subprocess_exec(
            *bound_to_parent(list(command)),
            stdin=asyncio.subprocess.PIPE if text else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environ,
            cwd=folder,
            pass_fds=pass_fds,
            start_new_session=True,
        )
        if process.stdin is not None:
            process.stdin.write(text.encode())
            process.stdin.close()
        return cls(process, show)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @property
    def has_crashed(self) -> bool:
        """Whether it ended with an exit code other than 0."""
        return self._process.returncode not in (None, 0)

    async def ended(self) -> str:
        """Wait for its end, and return how it ended: `exit code 1`, `killed by SIGKILL`."""
        code = await self._process.wait()
        # Its last lines have the reason, so wait for them; a process that it left behind may keep the pipe open.
        await asyncio.wait([self._reader], timeout=END_OF_OUTPUT_SECONDS)
        self._reader.cancel()
        if code >= 0:
            return f"exit code {code}"
        return f"killed by {signal.Signals(-code).name}"

    async def stop(self, seconds: float) -> str:
        """Send SIGTERM, and SIGKILL after `seconds`. Return how it ended."""
        self._send(signal.SIGTERM)
        try:
            async with asyncio.timeout(seconds):
                return await self.ended()
        except TimeoutError:
            self.kill()
            await self.ended()
            return f"did not stop within {seconds:g} s and was killed"

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        try:
            self._process.send_signal(number)
        except ProcessLookupError:
            pass

    async def _read_output(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        while chunk := await self._process.stdout.read(READ_BYTES):
            *lines, rest = (rest + chunk).split(b"\n")
            if len(rest) > MAX_LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._show_line(line)
        if rest:
            self._show_line(rest)

    def _show_line(self, line: bytes) -> None:
        # Output of a child must not control the terminal.
        text = line.decode(errors="replace").rstrip()
        if not text.isprintable():
            text = "".join(
                character if character.isprintable() or character == "\t" else repr(character)[1:-1]
                for character in text
            )
        self.last_lines.append(text)
        self._show(text)
