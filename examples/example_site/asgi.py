"""The ASGI application: one socket for all topics, HTTP in its place, and one for raw frames."""

import os

from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_site.settings")
http = get_asgi_application()  # Sets Django up: the imports below need models.

import hubbub.asgi  # noqa: E402
from bell.topics import BellTopic  # noqa: E402
from cursors.topics import CursorsTopic  # noqa: E402
from echo.consumers import EchoConsumer  # noqa: E402
from hubbub import live  # noqa: E402
from orders.topics import OrdersTopic  # noqa: E402
from polls.topics import PollTopic  # noqa: E402

topics = [BellTopic, CursorsTopic, OrdersTopic, PollTopic]
routes = [
    path("ws/echo/", EchoConsumer.as_asgi(), name="echo"),
    path("ws/live/", live(*topics).as_asgi(), name="live"),
]
application = hubbub.asgi.application(http, routes, topics=topics, path="live/")
