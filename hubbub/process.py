"""This server process: its name, and what runs beside its sockets for its whole life."""

import asyncio
import itertools
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from hubbub import probes, publish, site, site_lease
from hubbub.host import Host, this_host
from hubbub.hub import hub
from hubbub.limits_exchange import exchange_limits
from hubbub.metrics import COUNTERS, measure_loop_lag

logger = logging.getLogger(__name__)

Service = Callable[[], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

RESTART_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Process:
    """`id` is unique among all processes of all hosts; `name` is what people call it."""

    host: Host
    name: str
    pid: int
    started_at: float

    @property
    def id(self) -> str:
        return f"{self.host.id}:{self.name}:{self.pid}"


def _this_process() -> Process:
    pid = os.getpid()
    name = os.environ.get("HUBBUB_PROCESS") or f"pid-{pid}"
    return Process(host=this_host(), name=name, pid=pid, started_at=time.time())


def _count(text: str | None) -> int:
    return int(text) if text is not None and text.isdecimal() else 0


PROCESS = _this_process()
COUNTERS.restarts = _count(os.environ.get("HUBBUB_RESTARTS"))
COUNTERS.silent_restarts = _count(os.environ.get("HUBBUB_SILENT_RESTARTS"))

# Names of connections: counted from a number that no other process began with.
_connections = itertools.count(secrets.randbits(32) << 16)


def new_connection_name() -> str:
    """What logs call a socket of this process."""
    return f"{PROCESS.name}:{next(_connections):x}"


def with_services(application: Application, services: Sequence[Service]) -> Application:
    """`application`, which starts `services` once, in its event loop, when the first connection of any kind comes.

    Neither daphne nor every other ASGI server tells an application that it has started.
    """
    tasks: dict[asyncio.AbstractEventLoop, list[asyncio.Task[None]]] = {}

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        if loop not in tasks:
            site.is_served = True
            publish.send_from(loop)
            tasks[loop] = [asyncio.create_task(_keep_running(one)) for one in (*OWN_SERVICES, *services)]
        if probes.is_probe(scope):
            await probes.answer(scope, send, PROCESS.name)
        elif scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
        else:
            await application(scope, receive, send)

    return wrapped


async def _listen() -> None:
    await hub().open()


OWN_SERVICES = (site_lease.hold, _listen, measure_loop_lag, exchange_limits)


async def _keep_running(service: Service) -> None:
    while True:
        try:
            await service()
            return
        except Exception:
            logger.exception("%s of %s failed and starts again", service.__qualname__, PROCESS.id)
            await asyncio.sleep(RESTART_SECONDS)


async def _answer_lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            try:
                await asyncio.to_thread(site_lease.claim_at_start)
            except site_lease.REFUSALS as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                continue
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
