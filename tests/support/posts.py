"""Posts as the batch writer takes them, and their results."""

from typing import Any
from uuid import uuid4

from chat.models import Room
from chat.posting import Post
from chat.protocol import Posted
from hubbub.protocol import Refused


def post_by(user: Any, room: Room, body: str = "hello", client_id: Any = None) -> Post:
    return Post(user.pk, room.slug, client_id or uuid4(), body)


def outcome(result: Posted | Refused) -> object:
    return result.code if isinstance(result, Refused) else (result.seq, result.position)
