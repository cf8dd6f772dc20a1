"""Posts as calls of `message.post`, in batches as clients send them, and their results."""

from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from chat.models import Room
from chat.topics import RoomTopic
from hubbub.auth.identity import Identity
from hubbub.protocol import Refused, from_json
from hubbub.topics import batch_calls
from hubbub.topics.batch_calls import Call

POST = RoomTopic.commands["message.post"]


def post_by(
    user: Any, room: Room | str, body: str = "hello", client_id: Any = None, by: Identity | None = None
) -> Call:
    slug = room if isinstance(room, str) else room.slug
    topic = RoomTopic(slug)
    arguments = POST.arguments(ref=0, topic=topic.address, id=client_id or uuid4(), body=body)  # type: ignore[call-arg]
    return Call(topic, str(user.pk), by, arguments)


def post_all(calls: Sequence[Call]) -> list[Any]:
    """Run the calls as one batch. Returns for each its encoded result, or Refused."""
    return batch_calls.run(POST, calls)


def outcome(result: Any) -> object:
    """The code of a refusal, or (seq, position) of a message."""
    if isinstance(result, Refused):
        return result.code
    posted = from_json(result)
    return posted["seq"], posted["position"]
