"""Probes of a web process on its UNIX socket. Time without an answer counts only while the supervisor itself runs."""

import asyncio
import json
import math
import time
from pathlib import Path

PAUSE_SECONDS = 0.5  # From an answer to the next probe.
# Silence is counted in steps of this length. If the supervisor was stopped during a step, an answer may have come
# meanwhile: one step counts at most as two.
STEP_SECONDS = 0.5
MAX_STEP_SECONDS = 2 * STEP_SECONDS
REPEATS = 5  # Probes within the limit: a healthy process may lose one connection.
READ_BYTES = 65_536
PROBE_TIMEOUT_SECONDS = 3.0


class Liveness:
    """Liveness of one process. Any answer counts, with any status, and so does a closed connection.

    Args:
        path: the UNIX socket of the process.
        host: value of the Host header.
        unresponsive_seconds: time without an answer after which the process is unresponsive.
        start_seconds: the same until the first answer, while it loads modules and settings.
    """

    def __init__(self, path: Path, host: str, unresponsive_seconds: float, *, start_seconds: float = math.inf) -> None:
        self.path = path
        self._host = host
        self._limit_seconds = start_seconds
        self._unresponsive_seconds = unresponsive_seconds
        self.answered = asyncio.Event()  # At least once.
        self.draining = asyncio.Event()
        self.unresponsive = asyncio.Event()

    async def watch(self) -> None:
        """Return when the process is unresponsive, with `unresponsive` set. May be called again."""
        self.unresponsive.clear()
        probes: set[asyncio.Task[bool]] = set()
        probed_at, silence = -math.inf, 0.0
        try:
            while silence < self._limit_seconds:
                now = time.monotonic()
                if not probes or now - probed_at > self._unresponsive_seconds / REPEATS:
                    probes.add(asyncio.create_task(self._probe()))
                    probed_at = now
                done, probes = await asyncio.wait(probes, timeout=STEP_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if any(probe.result() for probe in done):
                    await _cancel(probes)
                    self.note_answer()
                    probes, silence = set(), 0.0
                    await asyncio.sleep(PAUSE_SECONDS)
                else:
                    silence += min(time.monotonic() - now, MAX_STEP_SECONDS)
        finally:
            await _cancel(probes)
        self.unresponsive.set()

    def note_answer(self) -> None:
        """The process has answered, also by another probe: from now on `unresponsive_seconds` is its limit."""
        self._limit_seconds = self._unresponsive_seconds
        self.answered.set()

    async def is_responsive(self) -> bool:
        """Whether the process answers one probe now."""
        try:
            async with asyncio.timeout(PROBE_TIMEOUT_SECONDS):
                return await self._probe()
        except TimeoutError:
            return False

    async def _probe(self) -> bool:
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
            return True  # The process closed the connection, or began to answer.
        except OSError:
            # A UNIX socket with a full queue refuses connections; asyncio notices it only here.
            await asyncio.sleep(STEP_SECONDS)
            return False
        finally:
            writer.close()
        if answer.endswith(b"\r\n\r\ndraining"):
            self.draining.set()
        return True


async def read_readiness(path: Path, host: str) -> tuple[int, str]:
    """Read /readyz on the UNIX socket `path`.

    Returns:
        The HTTP status, and the problems that it reports: empty when the process is ready.

    Raises:
        OSError, TimeoutError, ValueError: without a valid answer.
    """
    status, body = await _get(path, "/readyz", host)
    if status == 200:
        return status, ""
    if status == 404:
        return status, "/readyz is not found: make the application by hubbub.asgi.application"
    if status != 503:
        return status, f"/readyz returns {status} for the host {host}"
    readiness = json.loads(body)
    problems = (
        f"{part}: {readiness[part]}"
        for part in ("database", "migrations", "redis", "disk")
        if readiness.get(part, "ok") != "ok"
    )
    return status, ", ".join(problems) or str(readiness.get("state"))


async def _get(path: Path, page: str, host: str) -> tuple[int, bytes]:
    """The status and body of a page on the UNIX socket `path`."""
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
