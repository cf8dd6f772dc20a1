"""One running child process of the supervisor: its start, its output line by line, its end."""

import asyncio
import collections
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from hubbub.supervisor.private_redis import tethered

KEPT_LINES = 15  # Told as the reason when it cannot start: enough for a traceback's end.
READ_BYTES = 65_536
MAX_LINE_BYTES = 16_384
END_OF_OUTPUT_SECONDS = 1.0

# Prefixes in turn; red is left to errors.
COLOURS = ("36", "33", "32", "35", "34")


class Console:
    """Prefixed lines on standard output, coloured when people look at it."""

    def __init__(self) -> None:
        self._colours = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        self._seen: list[str] = []

    def line(self, name: str, text: str) -> None:
        if name not in self._seen:
            self._seen.append(name)
        prefix = f"{name:<9} |"
        if self._colours:
            prefix = f"\x1b[{COLOURS[self._seen.index(name) % len(COLOURS)]}m{prefix}\x1b[0m"
        self.print(f"{prefix} {text}")

    def print(self, text: str) -> None:
        encoding = sys.stdout.encoding or "utf-8"
        try:
            # What this terminal has no letters for must not end who reads a child's output: the child would soon wait.
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding) + "\n")
            sys.stdout.flush()
        except OSError:
            pass  # The terminal is gone: no reason to stop serving.


class Child:
    """A process in a session of its own, so that Ctrl-C reaches it only through us, in order."""

    def __init__(self, process: asyncio.subprocess.Process, show: Callable[[str], None]) -> None:
        self._process = process
        self._show = show
        self.last_lines: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
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
        """Start `command` in `folder`, with `text` on its standard input; `show` gets each line that it writes."""
        process = await asyncio.create_subprocess_exec(
            *tethered(list(command)),
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
        """Whether it ended, and not in order."""
        return self._process.returncode not in (None, 0)

    async def ended(self) -> str:
        """Wait for its end; how it ended, for people."""
        code = await self._process.wait()
        # What it wrote last is the reason of its death; but something that it left behind may hold the pipe open.
        await asyncio.wait([self._reader], timeout=END_OF_OUTPUT_SECONDS)
        self._reader.cancel()
        if code >= 0:
            return f"exit code {code}"
        return f"killed by {signal.Signals(-code).name}"

    async def stop(self, seconds: float) -> str:
        """Ask it to end; kill it after `seconds`. How it ended, for people."""
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
                self._take(line)
        if rest:
            self._take(rest)

    def _take(self, line: bytes) -> None:
        # What a child prints must not move the cursor of the terminal that it is shown on.
        text = line.decode(errors="replace").rstrip()
        if not text.isprintable():
            text = "".join(one if one.isprintable() or one == "\t" else repr(one)[1:-1] for one in text)
        self.last_lines.append(text)
        self._show(text)
