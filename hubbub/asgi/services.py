"""Background services that run in a server process beside its sockets."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from django.core.exceptions import ImproperlyConfigured

from hubbub import publish, site
from hubbub.asgi import probes
from hubbub.checks import require_settings, start_refusal
from hubbub.limits.usage_sync import exchange_limits
from hubbub.process.metrics import measure_loop_lag
from hubbub.process.this_process import PROCESS
from hubbub.runtime import runtime
from hubbub.site import lease
from hubbub.topics.clearing import clear_once

logger = logging.getLogger(__name__)

Service = Callable[[], Awaitable[None]]
Application = Callable[[Any, Any, Any], Awaitable[None]]

RESTART_SECONDS = 1.0


def with_services(application: Application, services: Sequence[Service]) -> Application:
    """Wrap `application` so that its first connection starts `services` in its event loop, once.

    The first connection starts them because daphne and some other ASGI servers send no lifespan event.

    Raises:
        CannotServe: the settings have an unknown key or a wrong value.
    """
    require_settings()
    tasks: dict[asyncio.AbstractEventLoop, list[asyncio.Task[None]]] = {}

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        loop = asyncio.get_running_loop()
        if loop not in tasks:
            if scope["type"] != "lifespan" and (line := start_refusal()):
                logger.error("%s", line)  # This server has not asked before its start.
            site.is_served = runtime().is_served = True
            publish.send_from(loop)
            tasks[loop] = [asyncio.create_task(_keep_running(service)) for service in (*OWN_SERVICES, *services)]
        if probes.is_probe(scope):
            await probes.answer(scope, send, PROCESS.name)
        elif scope["type"] == "lifespan":
            await _answer_lifespan(receive, send)
        else:
            await application(scope, receive, send)

    return wrapped


def check_services(services: Any) -> None:
    """Raise ImproperlyConfigured if these are no coroutine functions."""
    if not isinstance(services, list | tuple):
        raise ImproperlyConfigured(f"hubbub.asgi.application: services={services!r} is no list of coroutine functions.")
    for service in services:
        if not inspect.iscoroutinefunction(service):
            hint = "a service is a coroutine function without arguments: async def report(): …"
            raise ImproperlyConfigured(f"hubbub.asgi.application: services: {service!r} is none: {hint}.")


async def _listen() -> None:
    await runtime().hub.open()


OWN_SERVICES = (lease.hold, _listen, measure_loop_lag, exchange_limits, clear_once)


async def _keep_running(service: Service) -> None:
    while True:
        try:
            await service()
            return
        except Exception:
            logger.exception("service %s: failed, restarts in %g s", service.__qualname__, RESTART_SECONDS)
            await asyncio.sleep(RESTART_SECONDS)


async def _answer_lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            if line := start_refusal():
                await send({"type": "lifespan.startup.failed", "message": line})
                continue
            try:
                await asyncio.to_thread(lease.claim_at_start)
            except lease.REFUSALS as error:
                await send({"type": "lifespan.startup.failed", "message": str(error)})
                continue
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
