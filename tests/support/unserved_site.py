"""A team's own router, without `hubbub.asgi.application`: the services of the process do not run."""

import os
from typing import Any

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings")
http = get_asgi_application()

from django.urls import path  # noqa: E402

from hubbub import live  # noqa: E402
from tests.support.polls.topics import PollTopic  # noqa: E402
from tests.support.shouting import ShoutConsumer  # noqa: E402


async def pages(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """Answer the probe of the test, which only `hubbub.asgi.application` has, and pages by Django."""
    if scope["path"] != "/healthz":
        await http(scope, receive, send)
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


routes = [path("ws/", live(PollTopic).as_asgi()), path("ws/shout/<slug:place>/", ShoutConsumer.as_asgi())]
application = ProtocolTypeRouter({"http": pages, "websocket": URLRouter(routes)})
