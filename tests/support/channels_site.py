"""The site with consumers of Channels beside the chat: an ASGI application for tests."""

import os

from channels.auth import AuthMiddlewareStack
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()

from django.urls import path, re_path  # noqa: E402

import chat.routing  # noqa: E402
import hubbub.asgi  # noqa: E402
from tests.support.shouting import OldShoutConsumer, ShoutConsumer  # noqa: E402

application = hubbub.asgi.application(
    http,
    [
        *chat.routing.websocket_urlpatterns,
        path("ws/shout/<slug:place>/", AuthMiddlewareStack(ShoutConsumer.as_asgi()), name="shout"),
        re_path(r"^ws/anonymous/(?P<place>\w+)/$", ShoutConsumer.as_asgi()),
        path("ws/old/", OldShoutConsumer.as_asgi()),
    ],
)
