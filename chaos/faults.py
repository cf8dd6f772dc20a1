"""The faults of a storm, each injected for real. A fault function returns when its target can work again or is gone."""

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from random import Random

import psutil
import redis

from chaos.recording import Recorder
from chaos.site import Site

FAULT_SECONDS = (3.0, 10.0)
PROCESS_SECONDS = 30.0  # Limit for a process to end or to reappear.
RESTART_SECONDS = 60.0  # Limit for one process of a rolling restart.
LOCK_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class FaultContext:
    """The targets of faults. `stop` ends the storm: a fault in progress is then released at once."""

    site: Site
    clients: Sequence[Recorder]
    random: Random
    stop: asyncio.Event

    async def hold(self) -> float:
        """Wait for the duration of a lasting fault, in seconds, which is returned."""
        seconds = round(self.random.uniform(*FAULT_SECONDS), 1)
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            pass
        return seconds

    async def random_process(self) -> tuple[str, psutil.Process]:
        name = self.random.choice(self.site.web_names)
        return name, await _present(lambda: self.site.web_process(name))

    async def redis(self) -> psutil.Process:
        return await _present(self.site.redis_process)


InjectFault = Callable[[FaultContext], Awaitable[str]]


async def kill_process(context: FaultContext) -> str:
    name, process = await context.random_process()
    process.kill()
    return name


async def end_process(context: FaultContext) -> str:
    name, process = await context.random_process()
    process.terminate()
    await _gone(process)
    return name


async def restart_in_turn(context: FaultContext) -> str:
    after = len(context.site.lines)
    context.site.signal_supervisor(signal.SIGHUP)
    for name in context.site.web_names:
        found = await context.site.wait_for_line(
            rf"^(?:{name}|release) +\| (restarted|unchanged.*|refused.*)", RESTART_SECONDS, after=after
        )
        if found[1] != "restarted":
            return f"{name} {found[1]}"
    return f"all {context.site.processes}"


async def freeze_process(context: FaultContext) -> str:
    name, process = await context.random_process()
    async with _frozen(process):
        seconds = await context.hold()
    return f"{name} for {seconds:g} s"


async def kill_redis(context: FaultContext) -> str:
    process = await context.redis()
    process.kill()
    return ""


async def freeze_redis(context: FaultContext) -> str:
    async with _frozen(await context.redis()):
        seconds = await context.hold()
    return f"for {seconds:g} s"


async def empty_redis(context: FaultContext) -> str:
    await context.redis()
    await asyncio.to_thread(delete_all_keys, str(context.site.redis_socket))
    return ""


async def cut_clients(context: FaultContext) -> str:
    cut = context.random.sample(list(context.clients), max(1, len(context.clients) // 2))
    for client in cut:
        client.cut()
    return f"{len(cut)} of {len(context.clients)}"


async def lock_database(context: FaultContext) -> str:
    with closing(
        sqlite3.connect(context.site.database, isolation_level=None, timeout=LOCK_SECONDS, check_same_thread=False)
    ) as connection:
        await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
        seconds = await context.hold()
        connection.execute("ROLLBACK")
    return f"for {seconds:g} s"


# By the names in the output.
FAULTS: dict[str, InjectFault] = {
    "process killed (SIGKILL)": kill_process,
    "process ended (SIGTERM)": end_process,
    "rolling restart (SIGHUP)": restart_in_turn,
    "process frozen (SIGSTOP)": freeze_process,
    "Redis killed (SIGKILL)": kill_redis,
    "Redis frozen (SIGSTOP)": freeze_redis,
    "Redis emptied (FLUSHALL)": empty_redis,
    "clients cut off (TCP reset)": cut_clients,
    "database locked": lock_database,
}


@asynccontextmanager
async def _frozen(process: psutil.Process) -> AsyncIterator[None]:
    process.suspend()
    try:
        yield
    finally:
        process.resume()


def delete_all_keys(path: str) -> None:
    """Delete all keys of the Redis on the UNIX socket `path`."""
    with redis.Redis(unix_socket_path=path, socket_timeout=5) as client:
        try:
            client.flushall()
        except redis.exceptions.NoPermissionError:  # The private Redis forbids this command.
            for key in client.scan_iter():
                client.delete(key)


async def _present(find: Callable[[], psutil.Process | None]) -> psutil.Process:
    """Poll `find` until it returns a process, which may be restarting. Raises TimeoutError."""
    async with asyncio.timeout(PROCESS_SECONDS):
        while (process := find()) is None:  # noqa: ASYNC110 - no event to wait for
            await asyncio.sleep(POLL_SECONDS)
        return process


async def _gone(process: psutil.Process) -> None:
    async with asyncio.timeout(PROCESS_SECONDS):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - not a child of this process
            await asyncio.sleep(POLL_SECONDS)
