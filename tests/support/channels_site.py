"""The site with consumers of Channels beside the chat: an ASGI application for tests."""

import os
from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer
from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "project.settings")
http = get_asgi_application()

from asgiref.sync import async_to_sync  # noqa: E402
from django.urls import path, re_path  # noqa: E402

import chat.routing  # noqa: E402
import hubbub.asgi  # noqa: E402


class ShoutConsumer(AsyncJsonWebsocketConsumer):
    """As in the tutorial of Channels: each text goes to all sockets of a group."""

    async def connect(self) -> None:
        self.group = f"shout_{self.scope['url_route']['kwargs']['place']}"
        await self.channel_layer.group_add(self.group, self.channel_name)
        await self.accept()

    async def disconnect(self, code: int) -> None:
        await self.channel_layer.group_discard(self.group, self.channel_name)

    async def receive_json(self, content: Any, **_: Any) -> None:
        user = self.scope["user"].get_username() if "user" in self.scope else None
        await self.channel_layer.group_send(self.group, {"type": "shouted", "text": content["text"], "user": user})

    async def shouted(self, event: dict[str, Any]) -> None:
        await self.send_json({"text": event["text"], "user": event["user"]})


class OldShoutConsumer(JsonWebsocketConsumer):
    """The same in threads, with the groups that Channels joins itself."""

    groups = ["shout_square"]

    def receive_json(self, content: Any, **_: Any) -> None:
        event = {"type": "shouted", "text": content["text"], "user": None}
        async_to_sync(self.channel_layer.group_send)("shout_square", event)

    def shouted(self, event: dict[str, Any]) -> None:
        self.send_json({"text": event["text"], "user": event["user"]})


application = hubbub.asgi.application(
    http,
    [
        *chat.routing.websocket_urlpatterns,
        path("ws/shout/<slug:place>/", AuthMiddlewareStack(ShoutConsumer.as_asgi()), name="shout"),
        re_path(r"^ws/anonymous/(?P<place>\w+)/$", ShoutConsumer.as_asgi()),
        path("ws/old/", OldShoutConsumer.as_asgi()),
    ],
)
