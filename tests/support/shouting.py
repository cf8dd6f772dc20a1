"""Consumers of Channels, as in its tutorial: each text goes to all sockets of a group."""

from typing import Any

from asgiref.sync import async_to_sync
from channels.generic.websocket import AsyncJsonWebsocketConsumer, JsonWebsocketConsumer


class ShoutConsumer(AsyncJsonWebsocketConsumer):
    """The group is in the path."""

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
