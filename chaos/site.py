"""The site of a storm: `manage.py up` in a temporary folder, with SQLite and a private Redis."""

import asyncio
import os
import re
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import psutil
from django.conf import settings

from hubbub.supervisor.private_redis import bound_to_parent, run_dir

START_SECONDS = 60.0
PREPARE_SECONDS = 60.0
STOP_SECONDS = 40.0  # Includes the time for each process to drain.
POLL_SECONDS = 0.05
# Not inherited: they would make it another site. Tunables are inherited, so that they are tested as well.
NOT_INHERITED = {"REDIS_URL", "DATABASE_URL", "SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "CSRF_TRUSTED_ORIGINS"}
NOT_INHERITED |= {"SECRET_KEY_FALLBACKS", "HUBBUB_VAR", "HUBBUB_TLS", "HUBBUB_PROCESS"}
# After a fault all clients send their backlog at once: rate limits must not affect the recovery time.
RAISED_LIMITS = {"HUBBUB_POSTS_PER_SECOND": "1000", "HUBBUB_POSTS_BURST": "1000"}
RAISED_LIMITS |= {"HUBBUB_COMMANDS_PER_SECOND": "1000", "HUBBUB_COMMANDS_BURST": "1000"}
PREPARE = "import django; django.setup(); from chaos.prepare import main; main()"


class SiteFailed(Exception):
    """The site did not start or has ended; the text has the reason."""


class Site:
    """A site that runs while its context is entered. Leaves no files or processes."""

    def __init__(self, processes: int) -> None:
        self.processes = processes
        self.lines: list[str] = []
        self.url = ""

    async def __aenter__(self) -> "Site":
        self.folder = Path(tempfile.mkdtemp(prefix="hubbub-chaos-"))
        try:
            given = {name: value for name, value in os.environ.items() if name not in NOT_INHERITED}
            self._environ = RAISED_LIMITS | given
            self._environ |= {"HUBBUB_VAR": os.fspath(self.folder), "NO_COLOR": "1"}
            # A new session: Ctrl-C reaches only this command, which then stops the site.
            self._up = await asyncio.create_subprocess_exec(
                *bound_to_parent(
                    [sys.executable, "-m", "django", "up", "--port", "0", "--processes", str(self.processes)],
                ),
                cwd=settings.BASE_DIR,
                env=self._environ,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
            self._reader = asyncio.create_task(self._read())
            found = await self.wait_for_line(r"^Ready at (\S+)/$", START_SECONDS)
            self.url = found[1]
        except BaseException:
            await self.__aexit__(None, None, None)
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        stopping = asyncio.create_task(self._stop())
        while not stopping.done():
            try:
                await asyncio.shield(stopping)
            except asyncio.CancelledError:
                pass  # Keep waiting: the processes end within seconds, and none may be left behind.
        shutil.rmtree(self.folder, ignore_errors=True)
        stopping.result()

    @property
    def database(self) -> Path:
        return self.folder / "hubbub.sqlite3"

    @property
    def redis_socket(self) -> Path:
        return run_dir(self.folder) / "redis.sock"

    @property
    def web_names(self) -> list[str]:
        return [f"web-{number}" for number in range(1, self.processes + 1)]

    async def prepare(self, rooms: Sequence[str], names: Sequence[str]) -> list[str]:
        """Create rooms and users. Returns an access token for each user."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", PREPARE, *rooms, "--", *names),
            cwd=settings.BASE_DIR,
            env=self._environ,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(PREPARE_SECONDS):
                out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        if process.returncode:
            raise SiteFailed(f"Rooms and users could not be created:\n{err.decode().strip()}")
        return out.decode().split()

    async def wait_for_line(self, pattern: str, seconds: float, *, after: int = 0) -> re.Match[str]:
        """Wait for a line of output, from line number `after` on, that matches `pattern`. Raises SiteFailed."""
        at = after
        for _ in range(int(seconds / POLL_SECONDS)):
            for line in self.lines[at:]:
                if found := re.search(pattern, line):
                    return found
            at = len(self.lines)
            if self._up.returncode is not None:
                break
            await asyncio.sleep(POLL_SECONDS)
        words = "\n".join(f"    {line}" for line in self.lines[-15:])
        raise SiteFailed(f"The site did not print {pattern!r} within {seconds:g} s. Its last lines:\n{words}")

    def signal_supervisor(self, number: signal.Signals) -> None:
        self._up.send_signal(number)

    def web_process(self, name: str) -> psutil.Process | None:
        """The web process of this name; during a replacement the newer one. None: no such process."""
        return self._child(lambda child: child.environ().get("HUBBUB_PROCESS") == name)

    def redis_process(self) -> psutil.Process | None:
        # Redis overwrites its environment with its title, which has the socket's path.
        return self._child(lambda child: any(str(self.redis_socket) in part for part in child.cmdline()))

    def _child(self, is_wanted: Callable[[psutil.Process], bool]) -> psutil.Process | None:
        found = None
        try:
            children = psutil.Process(self._up.pid).children()
        except psutil.NoSuchProcess:
            return None
        for child in children:
            try:
                if child.status() != psutil.STATUS_ZOMBIE and is_wanted(child):
                    found = child
            except psutil.Error:
                pass  # It has just ended.
        return found

    async def _stop(self) -> None:
        if not hasattr(self, "_up"):
            return
        if self._up.returncode is None:
            self._up.terminate()
            try:
                async with asyncio.timeout(STOP_SECONDS):
                    await self._up.wait()
            except TimeoutError:
                self._up.kill()  # Its children end with it.
                await self._up.wait()
        await self._reader

    async def _read(self) -> None:
        assert self._up.stdout is not None
        async for line in self._up.stdout:
            self.lines.append(line.decode(errors="replace").rstrip())
