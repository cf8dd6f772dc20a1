"""What a load balancer and the supervisor ask: is this process alive, can it serve."""

import asyncio
from collections.abc import Awaitable

import redis.asyncio
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache

from realtime import threads
from realtime.drain import is_draining
from realtime.process import PROCESS

CHECK_SECONDS = 1.0


@never_cache
async def healthz(request: HttpRequest) -> HttpResponse:
    """Asks nothing of others. `draining`: alive, but it ends."""
    return HttpResponse("draining" if is_draining() else "ok", content_type="text/plain")


@never_cache
async def readyz(request: HttpRequest) -> JsonResponse:
    """`{"state": …, "database": "ok" or why not, "redis": …, "process": …}`. Open to all: no addresses in it.

    200 with state `ok`, or `degraded`: Redis is away, and everything arrives through the database, seconds later.
    503 with `unavailable`: no database; or `draining`: this process ends.
    """
    database, channel = await asyncio.gather(_verdict(threads.check()), _verdict(_ask_redis()))
    if is_draining():
        state = "draining"
    elif database != "ok":
        state = "unavailable"
    else:
        state = "ok" if channel == "ok" else "degraded"
    return JsonResponse(
        {"state": state, "database": database, "redis": channel, "process": PROCESS.name},
        status=200 if state in ("ok", "degraded") else 503,
    )


async def _verdict(check: Awaitable[None]) -> str:
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            await check
    except TimeoutError:
        return "timeout"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is the answer
        return type(error.__cause__ or error).__name__
    return "ok"


async def _ask_redis() -> None:
    client = redis.asyncio.from_url(
        settings.REDIS_URL, socket_timeout=CHECK_SECONDS, socket_connect_timeout=CHECK_SECONDS
    )
    async with client:
        await client.ping()
