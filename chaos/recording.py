"""A recording client of a room: posts, edits and deletes until answered."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any
from uuid import uuid4

from chaos.connecting import Address
from chaos.log import Sent
from chaos.room_view import RoomView, messages_in
from chaos.topic_recording import TopicRecorder
from chaos.view import Frame


class Recorder(TopicRecorder[RoomView]):
    """One client of one room. `more`: as of TopicRecorder."""

    def __init__(self, name: str, room: str, addresses: Callable[[], Sequence[Address]], **more: Any) -> None:
        super().__init__(name, "/ws/chat/", f"room/{room}", RoomView(), addresses, **more)
        self.room = room

    async def post(self, body: str, message_id: str = "") -> Sent:
        """Post until answered, with one id for all attempts."""
        return await self.send("message.post", id=message_id or str(uuid4()), body=body)

    async def edit(self, seq: int, body: str) -> Sent:
        return await self.send("message.edit", seq=seq, body=body)

    async def delete(self, seq: int) -> Sent:
        return await self.send("message.delete", seq=seq)

    def ids_in(self, frame: Frame) -> Iterable[str]:
        return [message["id"] for message in messages_in(frame)]
