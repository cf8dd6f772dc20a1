"""The tutorial's application."""

import os

from channels.auth import AuthMiddlewareStack
from channels.routing import ProtocolTypeRouter, URLRouter
from channels.security.websocket import AllowedHostsOriginValidator
from django.core.asgi import get_asgi_application
from django.urls import path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.peers.channels_site.settings")
http = get_asgi_application()

from bench.peers.channels_site import consumers  # noqa: E402

application = ProtocolTypeRouter(
    {
        "http": http,
        "websocket": AllowedHostsOriginValidator(
            AuthMiddlewareStack(
                URLRouter(
                    [
                        path("ws/chat/<str:room_name>/", consumers.ChatConsumer.as_asgi()),
                        path("ws/saved/<str:room_name>/", consumers.SavingConsumer.as_asgi()),
                        path("ws/sender/<str:room_name>/", consumers.SenderConsumer.as_asgi()),
                    ]
                )
            )
        ),
    }
)
