"""Whether a web process still answers on its UNIX socket. Silence counts only while the supervisor itself runs."""

import asyncio
import json
import math
import time
from pathlib import Path

PAUSE_SECONDS = 0.5  # From an answer to the next question.
# Silence is counted in steps of this length. The program that counts may have been stopped in the middle of a step, and
# cannot know whether an answer came meanwhile: one step counts at most as two.
STEP_SECONDS = 0.5
MAX_STEP_SECONDS = 2 * STEP_SECONDS
REPEATS = 5  # Questions within the limit: a connection may be lost in a process that goes on answering others.
READ_BYTES = 65_536
PROBE_TIMEOUT_SECONDS = 3.0


class Liveness:
    """Of one process, behind the socket `path`. Any answer counts, whatever its status: so does a closed connection.

    `start_seconds`: how long it may take to its first answer, which needs modules and settings to be loaded.
    """

    def __init__(self, path: Path, host: str, unresponsive_seconds: float, *, start_seconds: float = math.inf) -> None:
        self.path = path
        self._host = host
        self._limit = start_seconds
        self._silent_seconds = unresponsive_seconds
        self.answered = asyncio.Event()  # At least once.
        self.draining = asyncio.Event()
        self.silent = asyncio.Event()

    async def watch(self) -> None:
        """Return when it has been silent for too long, with `silent` set. It may be called again."""
        self.silent.clear()
        asking: set[asyncio.Task[bool]] = set()
        asked_at, silence = -math.inf, 0.0
        try:
            while silence < self._limit:
                now = time.monotonic()
                if not asking or now - asked_at > self._silent_seconds / REPEATS:
                    asking.add(asyncio.create_task(self._ask()))
                    asked_at = now
                done, asking = await asyncio.wait(asking, timeout=STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if any(one.result() for one in done):
                    await _cancel(asking)
                    self._limit = self._silent_seconds
                    self.answered.set()
                    asking, silence = set(), 0.0
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    silence += min(time.monotonic() - now, MAX_STEP_SECONDS)
        finally:
            await _cancel(asking)
        self.silent.set()

    async def answers(self) -> bool:
        """Whether it answers now."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                return await self._ask()
        except TimeoutError:
            return False

    async def _ask(self) -> bool:
        try:
            reader, writer = await asyncio.open_unix_connection(self.path)
        except OSError:
            await asyncio.sleep(STEP_SECONDS)
            return False
        try:
            writer.write(_request("/healthz", self._host))
            answer = await reader.read(READ_BYTES)
            if answer:
                async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                    answer += await reader.read()
        except (ConnectionResetError, BrokenPipeError, TimeoutError):
            return True  # It has closed the connection, or has begun to answer.
        except OSError:
            # A UNIX socket whose queue is full takes no connection, which asyncio notices only here.
            await asyncio.sleep(STEP_SECONDS)
            return False
        finally:
            writer.close()
        if answer.endswith(b"\r\n\r\ndraining"):
            self.draining.set()
        return True


async def ask_ready(path: Path, host: str) -> tuple[int, str]:
    """The status of /readyz on the UNIX socket `path`, and what it complains of: nothing when it is ready.

    OSError, TimeoutError or ValueError when there is no answer.
    """
    status, body = await _get(path, "/readyz", host)
    if status == 200:
        return status, ""
    if status == 404:
        return status, "/readyz is not found: wrap the application in hubbub.asgi.with_services"
    if status != 503:
        return status, f"/readyz, asked as {host}, answers {status}"
    found = json.loads(body)
    complaints = (
        f"{part}: {found[part]}"
        for part in ("database", "migrations", "redis", "disk")
        if found.get(part, "ok") != "ok"
    )
    return status, ", ".join(complaints) or str(found.get("state"))


async def _get(path: Path, page: str, host: str) -> tuple[int, bytes]:
    """Status and body of a page on the UNIX socket `path`."""
    async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
        reader, writer = await asyncio.open_unix_connection(path)
        try:
            writer.write(_request(page, host))
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
    if not head:
        raise ConnectionError
    return int(head.split(b" ", 2)[1]), body


def _request(page: str, host: str) -> bytes:
    return f"GET {page} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


async def _cancel(tasks: set[asyncio.Task[bool]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
