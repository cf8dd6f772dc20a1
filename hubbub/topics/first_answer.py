"""The answer that a join would get, for the HTML of a page: its state shows before the socket is open."""

import inspect
from typing import Any

import msgspec
from asgiref.sync import async_to_sync

from hubbub import users
from hubbub.auth.identity import VISITOR, Identity
from hubbub.topics import log_reading, reading, watch_reading
from hubbub.topics.frames import Joined, room_for_presence
from hubbub.topics.reading import TopicState
from hubbub.topics.recovery import find
from hubbub.topics.topic import Topic
from hubbub.topics.watch import Watch


def first_answer(topic: Topic, user: Any) -> Joined:
    """Read what a join of the topic answers to the user now, without users present.

    A template puts it into the page by `frame_script`, and the page gives it to `hub.topic(…, { first })`. The join
    then brings what has changed since. `enter` and `viewer` of the topic are called, as by a join.

    Args:
        topic: such as `PollTopic(7)`.
        user: of the request; it may be anonymous.

    Raises:
        Refused: as a join is, such as `not_found`; also `too_long`.
    """
    identity = _identity_of(user)
    if topic.kind == "log":
        viewer, page = log_reading.open_page(topic, identity)
        assert page.state is not msgspec.UNSET
        read = TopicState(page.epoch, page.position, page.state)
    elif isinstance(topic, Watch):
        viewer, state = watch_reading.read_state(topic, find, identity)
        read = TopicState("0", 0, state)
    else:
        viewer = reading.enter(topic, identity)
        read = _state(topic)
    answer = Joined(
        topic=topic.address,
        epoch=read.epoch,
        position=read.position,
        complete=False,
        state=read.state,
        viewer=reading.viewer_or_none(viewer),
    )
    room_for_presence(answer, 0, is_page=False)  # Both fit into a frame.
    return answer


def _identity_of(user: Any) -> Identity:
    """The identity of the user of a view. The view has signed the user in."""
    if not user.is_authenticated:
        return VISITOR
    return Identity(user_id=users.id_of(user), permitted=True, credential="", **users.shown_of(user))


def _state(topic: Topic) -> TopicState:
    if inspect.iscoroutinefunction(topic.state):
        return reading.versioned(topic, async_to_sync(topic.state)())
    return reading.read_state(topic)
