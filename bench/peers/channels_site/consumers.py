"""The tutorial's asynchronous consumer, and the two variations that are measured."""

import json
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.db import transaction

from bench.peers.channels_site.models import Message


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]
    async def connect(self) -> None:
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        await self.channel_layer.group_add(self.room_group_name, self.channel_name)
        await self.accept()

    async def disconnect(self, close_code: int) -> None:
        await self.channel_layer.group_discard(self.room_group_name, self.channel_name)

    async def receive(self, text_data: str) -> None:
        message = json.loads(text_data)["message"]
        await self.channel_layer.group_send(self.room_group_name, {"type": "chat.message", "message": message})

    async def chat_message(self, event: dict[str, Any]) -> None:
        await self.send(text_data=json.dumps({"message": event["message"]}))


class SavingConsumer(ChatConsumer):
    """Saves each message before it sends it, and acknowledges it to the author."""

    async def receive(self, text_data: str) -> None:
        message = json.loads(text_data)["message"]
        key = await self.save(message)
        await self.channel_layer.group_send(self.room_group_name, {"type": "chat.message", "message": message})
        await self.send(text_data=json.dumps({"saved": key}))

    @database_sync_to_async
    def save(self, message: str) -> int:
        with transaction.atomic():
            key: int = Message.objects.create(room=self.room_name, author=self.scope["user"], body=message).pk
        return key


class SenderConsumer(SavingConsumer):
    """The same for clients that only send: in no group."""

    async def connect(self) -> None:
        self.room_name = self.scope["url_route"]["kwargs"]["room_name"]
        self.room_group_name = f"chat_{self.room_name}"
        await self.accept()

    async def disconnect(self, close_code: int) -> None:
        pass
