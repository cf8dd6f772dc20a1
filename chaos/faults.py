"""The faults of a storm, each made for real. A fault ends when what it broke can work again, or is gone."""

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

HELD_SECONDS = (3.0, 10.0)
PROCESS_SECONDS = 30.0  # For one to end, or to be there again.
RESTART_SECONDS = 60.0  # For one process of a rolling restart.
LOCK_SECONDS = 10.0
POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Ground:
    """What faults are made on. `stop` is set when the storm is to end: what is held is then let go."""

    site: Site
    people: Sequence[Recorder]
    random: Random
    stop: asyncio.Event

    async def hold(self) -> float:
        """Wait as long as a fault of this kind lasts; for how long."""
        seconds = round(self.random.uniform(*HELD_SECONDS), 1)
        try:
            async with asyncio.timeout(seconds):
                await self.stop.wait()
        except TimeoutError:
            pass
        return seconds

    async def some_process(self) -> tuple[str, psutil.Process]:
        name = self.random.choice(self.site.web_names)
        return name, await _present(lambda: self.site.web_process(name))

    async def redis(self) -> psutil.Process:
        return await _present(self.site.redis_process)


Make = Callable[[Ground], Awaitable[str]]


async def kill_process(ground: Ground) -> str:
    name, process = await ground.some_process()
    process.kill()
    return name


async def end_process(ground: Ground) -> str:
    name, process = await ground.some_process()
    process.terminate()
    await _gone(process)
    return name


async def restart_in_turn(ground: Ground) -> str:
    after = len(ground.site.lines)
    ground.site.signal_supervisor(signal.SIGHUP)
    for name in ground.site.web_names:
        found = await ground.site.wait_for_line(
            rf"^(?:{name}|release) +\| (restarted|unchanged.*|refused.*)", RESTART_SECONDS, after=after
        )
        if found[1] != "restarted":
            return f"{name} {found[1]}"
    return f"all {ground.site.processes}"


async def freeze_process(ground: Ground) -> str:
    name, process = await ground.some_process()
    async with _frozen(process):
        seconds = await ground.hold()
    return f"{name} for {seconds:g} s"


async def kill_redis(ground: Ground) -> str:
    process = await ground.redis()
    process.kill()
    return ""


async def freeze_redis(ground: Ground) -> str:
    async with _frozen(await ground.redis()):
        seconds = await ground.hold()
    return f"for {seconds:g} s"


async def empty_redis(ground: Ground) -> str:
    await ground.redis()
    await asyncio.to_thread(delete_all_keys, str(ground.site.redis_socket))
    return ""


async def cut_clients(ground: Ground) -> str:
    unlucky = ground.random.sample(list(ground.people), max(1, len(ground.people) // 2))
    for one in unlucky:
        one.cut()
    return f"{len(unlucky)} of {len(ground.people)}"


async def lock_database(ground: Ground) -> str:
    with closing(
        sqlite3.connect(ground.site.database, isolation_level=None, timeout=LOCK_SECONDS, check_same_thread=False)
    ) as connection:
        await asyncio.to_thread(connection.execute, "BEGIN IMMEDIATE")
        seconds = await ground.hold()
        connection.execute("ROLLBACK")
    return f"for {seconds:g} s"


# By the names that are shown.
FAULTS: dict[str, Make] = {
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
    """All that is in the Redis on the UNIX socket `path`."""
    with redis.Redis(unix_socket_path=path, socket_timeout=5) as client:
        try:
            client.flushall()
        except redis.exceptions.NoPermissionError:  # The bundled one has no such command.
            for key in client.scan_iter():
                client.delete(key)


async def _present(find: Callable[[], psutil.Process | None]) -> psutil.Process:
    """What `find` finds, as soon as it does: it may just be starting again. TimeoutError."""
    async with asyncio.timeout(PROCESS_SECONDS):
        while (process := find()) is None:  # noqa: ASYNC110 - nobody tells us
            await asyncio.sleep(POLL_SECONDS)
        return process


async def _gone(process: psutil.Process) -> None:
    async with asyncio.timeout(PROCESS_SECONDS):
        while process.is_running() and process.status() != psutil.STATUS_ZOMBIE:  # noqa: ASYNC110 - not our child
            await asyncio.sleep(POLL_SECONDS)
