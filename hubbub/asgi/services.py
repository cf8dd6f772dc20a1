"""What runs beside the sockets of a server process for its whole life."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from hubbub import publish, site
from hubbub.asgi import probes
from hubbub.limits.usage_sync import exchange_limits
from hubbub.process.metrics import measure_loop_lag
from hubbub.process.this_process import PROCESS
from hubbub.runtime import runtime
from hubbub.site import lease

logger = logging.getLogger(__name__)

Service = Callable[[], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

RESTART_SECONDS = 1.0


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
    await runtime().hub.open()


OWN_SERVICES = (lease.hold, _listen, measure_loop_lag, exchange_limits)


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
                await asyncio.to_thread(lease.claim_at_start)
            except lease.REFUSALS as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                continue
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
