"""A site with walls for visitors, and an office for users."""

import os

from channels.routing import ProtocolTypeRouter, URLRouter
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.polls.wall_settings")
http = get_asgi_application()

from django.urls import path  # noqa: E402

from hubbub.asgi.services import with_services  # noqa: E402
from tests.support.polls.walls import WallConsumer  # noqa: E402

application = with_services(
    ProtocolTypeRouter({"http": http, "websocket": URLRouter([path("ws/", WallConsumer.as_asgi())])}), services=[]
)
