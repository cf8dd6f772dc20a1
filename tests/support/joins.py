"""Posts, joins and the numbers of messages, without a socket."""

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import msgspec

from chat import posting
from chat.models import Room
from chat.protocol import MessageState, RoomPage, Viewer
from chat.topics import RoomTopic
from hubbub.auth.identity import Identity
from hubbub.protocol import answer_text
from hubbub.topics.frames import Joined
from hubbub.topics.log_reading import open_log

PAGE_BYTES = 32 * 1024


@dataclass(frozen=True)
class JoinAnswer:
    """The answer to a join.

    Attributes:
        frame: as the consumer makes it, but without `present`.
        messages: of the page, or of the events.
        events: of a complete answer.
        page: of an answer that is not complete.
    """

    frame: Joined
    viewer: Viewer
    messages: list[MessageState]
    events: list[dict[str, Any]]
    page: RoomPage | None
    position: int
    epoch: str
    complete: bool
    partial: bool

    @property
    def size(self) -> int:
        """The bytes of the frame."""
        return len(answer_text(1, self.frame).encode())


def post(user: Any, room: Room, count: int = 1, body: str = "hello") -> None:
    for _ in range(count):
        posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid4(), body=body)


def join(
    user: Any,
    room: Room,
    after: int | None = None,
    epoch: str | None = None,
    *,
    may_be_partial: bool = True,
    present_bytes: int = 0,
) -> JoinAnswer:
    """Read a room as a join does. Raises Refused."""
    topic = RoomTopic(room.slug)
    identity = Identity(str(user.pk), user.get_username(), permitted=True)
    viewer, page = open_log(
        topic,
        identity,
        after,
        epoch,
        may_be_partial=may_be_partial,
        present_bytes=present_bytes,
        users_changed=0,
    )
    frame = Joined(
        topic=topic.address,
        epoch=page.epoch,
        position=page.position,
        complete=page.state is msgspec.UNSET,
        events=page.events,
        state=page.state,
        partial=page.partial,
        viewer=viewer,
    )
    events = [] if page.events is msgspec.UNSET else msgspec.json.decode(page.events)
    state = None if page.state is msgspec.UNSET else msgspec.json.decode(page.state, type=RoomPage)
    changed = [msgspec.convert(event["message"], MessageState) for event in events if "message" in event]
    return JoinAnswer(
        frame=frame,
        viewer=msgspec.json.decode(viewer, type=Viewer),
        messages=changed if state is None else state.messages,
        events=events,
        page=state,
        position=page.position,
        epoch=page.epoch,
        complete=frame.complete,
        partial=frame.partial,
    )


def seqs(answer: Any) -> list[int]:
    return [message.seq for message in answer.messages]
