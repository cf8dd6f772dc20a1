"""The site with an endpoint that shows the state of its process, and one with failing handlers."""

import asyncio
import gc
import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()

import psutil  # noqa: E402
from django.urls import path  # noqa: E402

import chat.routing  # noqa: E402
from hubbub.asgi import with_services  # noqa: E402
from hubbub.consumers import Consumer  # noqa: E402
from hubbub.process.metrics import COUNTERS  # noqa: E402
from hubbub.protocol import Command, Ok, Ping, Refused  # noqa: E402
from hubbub.runtime import runtime  # noqa: E402


class TroubleRaise(Command, tag="trouble.raise"):
    pass


class TroubleHang(Command, tag="trouble.hang"):
    pass


class InnerAsk(Command, tag="inner.ask"):
    """Ask for the present state of the process."""


class Held(Ok, tag="ok", kw_only=True):
    memory_bytes: int
    tasks: int
    descriptors: int
    groups: int
    sockets: int
    lag_ms: float
    cleaned_up: int


cleaned_up = 0


class TroubleConsumer(Consumer):
    commands = Ping | TroubleRaise | TroubleHang | InnerAsk

    async def opened(self) -> None:
        await self.join("trouble")
        self.go_live("trouble")
        if self.scope["query_string"].startswith(b"refuse="):
            code = self.scope["query_string"].removeprefix(b"refuse=").decode()
            raise Refused(code, "no such poll", retry_after_ms=1500)
        if self.scope["query_string"] == b"raise":
            raise RuntimeError("trouble when opened")
        if self.scope["query_string"] == b"hang":
            await asyncio.Event().wait()

    async def handle(self, command: Any) -> Ok:
        match command:
            case TroubleRaise():
                raise RuntimeError("trouble in a handler")
            case TroubleHang():
                await asyncio.Event().wait()
            case InnerAsk():
                return _look()
        return await super().handle(command)

    async def _clean_up(self) -> None:
        global cleaned_up
        await super()._clean_up()
        cleaned_up += 1


def _look() -> Held:
    gc.collect()
    process = psutil.Process()
    return Held(
        memory_bytes=process.memory_info().rss,
        tasks=len(asyncio.all_tasks()),
        descriptors=process.num_fds(),
        groups=len(runtime().hub.groups),
        sockets=COUNTERS.sockets,
        lag_ms=COUNTERS.loop_lag_ms,
        cleaned_up=cleaned_up,
    )


trouble = path("ws/trouble/", TroubleConsumer.as_asgi())
application = with_services(
    ProtocolTypeRouter(
        {
            "http": http,
            "websocket": URLRouter(
                [*chat.routing.websocket_urlpatterns, path("ws/trouble/", TroubleConsumer.as_asgi())]
            ),
        }
    ),
    services=[],
)
