"""Posts, joins and the numbers of messages, without a socket."""

from typing import Any
from uuid import uuid4

import msgspec

from chat import history, posting
from chat.models import Room
from chat.protocol import Joined

PAGE_BYTES = 32 * 1024


def post(user: Any, room: Room, count: int = 1, body: str = "hello") -> None:
    for _ in range(count):
        posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid4(), body=body)


def join(user: Any, room: Room, after: int | None = None, epoch: str | None = None, **more: Any) -> Joined:
    joined = history.open_room(user_id=user.pk, slug=room.slug, after=after, epoch=epoch, **more)
    return msgspec.json.decode(msgspec.json.encode(joined), type=Joined)


def seqs(answer: Any) -> list[int]:
    return [message.seq for message in answer.messages]
