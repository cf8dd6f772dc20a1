"""The project's application, and `/ws/topics/`."""

import os
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.topics_site.settings")

from channels.routing import URLRouter
from django.core.asgi import get_asgi_application
from django.urls import path

http = get_asgi_application()

from bench.topics_site.topics import CounterTopic, MineTopic  # noqa: E402
from hubbub import live  # noqa: E402
from hubbub.asgi.services import with_services  # noqa: E402

sockets = URLRouter([path("ws/topics/", live(CounterTopic, MineTopic).as_asgi())])


async def route(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await (sockets if scope["type"] == "websocket" else http)(scope, receive, send)


application = with_services(route, services=[])
