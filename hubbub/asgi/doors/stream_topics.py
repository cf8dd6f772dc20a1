"""The topics of one stream: which are asked for, and the positions that its client has.

The answers to commands have the `ref` of the client, or of a join of the stream's own: the number of a topic in the
address. Both may have the same one.
"""

import functools
from collections.abc import Sequence
from typing import Any

from hubbub.asgi.doors import positions
from hubbub.asgi.doors.virtual_socket import Envelope

# Joins of topics that are busy: so often, then the client is told.
MAX_RETRIES = 5
# Types of the engine's own frames, whose `epoch` is that of the position. An event may have one of its own.
WITH_EPOCH = ("ok", "changed")


@functools.lru_cache(64)
def _id_block(entries: tuple[tuple[str, tuple[str, int]], ...]) -> bytes:
    """Encoded once for all streams of the process with the same topics and positions."""
    return b"id: " + positions.pack(dict(entries)).encode() + b"\n\n"


class StreamTopics:
    """What the frames of a stream say of its topics.

    Args:
        topics: of the address, joined at once.
        resume: the positions that the client has reached.
    """

    def __init__(self, topics: Sequence[str], resume: positions.Positions) -> None:
        self._topics = topics
        # What the client has of each topic. Those that resume are in the ids from the first one on: a stream that is
        # cut before all joins are answered would otherwise forget them.
        self._positions = {topic: resume[topic] for topic in topics if topic in resume}
        # Numbers of joins of the stream's own without a final answer.
        self._joining = set(range(len(topics)))
        self._retries = [0] * len(topics)
        # By ref: type and topic of joins and leaves by the client without an answer.
        self._asked: dict[Any, tuple[str, str]] = {}

    @property
    def numbers(self) -> range:
        """Of the topics of the address."""
        return range(len(self._topics))

    def id_block(self) -> bytes:
        """The positions of all topics as a block of the stream, to resume by."""
        return _id_block(tuple(self._positions.items()))

    def join(self, number: int) -> dict[str, Any]:
        """The command that joins a topic of the address; its number is the `ref`."""
        topic = self._topics[number]
        command: dict[str, Any] = {"type": "join", "ref": number, "topic": topic}
        if topic in self._positions:
            command["epoch"], command["after"] = self._positions[topic]
        return command

    def is_joining(self, number: int) -> bool:
        """Whether a join of the stream's own has no final answer."""
        return number in self._joining

    def has_room_for(self, topic: str) -> bool:
        """Whether the positions fit into an id with this topic too."""
        own = {self._topics[number] for number in self._joining}
        asked = {name for kind, name in self._asked.values() if kind == "join"}
        return positions.fits({*self._positions, *own, *asked, topic})

    def asked(self, command: Envelope) -> None:
        """The client has sent this command by a POST."""
        if command.type in ("join", "leave"):
            self._asked[command.ref] = (command.type, command.topic)

    def retry_after_ms(self, frame: Envelope) -> int | None:
        """When a refused join of the address is tried again, so that the client need not know; None: it is not."""
        wait, number = frame.retry_after_ms, frame.ref
        is_own = frame.type == "error" and number in self._joining and number not in self._asked
        if not is_own or not isinstance(wait, int) or self._retries[number] >= MAX_RETRIES:
            return None
        self._retries[number] += 1
        return wait

    def is_part(self, frame: Envelope) -> bool:
        """Whether a join of the address was answered in part: it goes on from there."""
        return frame.type == "ok" and frame.partial is True and self._is_own(frame)

    def note(self, frame: Envelope) -> bool:
        """Note what a frame says. Returns whether the id has changed."""
        topic, kind = frame.topic, frame.type
        asked = self._asked.pop(frame.ref, None) if kind in ("ok", "error") else None
        if kind == "error" and asked is None:
            self._joining.discard(frame.ref)
        if not topic or not isinstance(topic, str):
            return False
        if kind == "closed" or (kind == "ok" and asked == ("leave", topic)):
            self._joining -= {number for number in self._joining if self._topics[number] == topic}
            return self._positions.pop(topic, None) is not None
        if self._is_own(frame) and not frame.partial:
            self._joining.discard(frame.ref)
        return self.moved(frame)

    def moved(self, frame: Envelope) -> bool:
        """Note the position of a frame. Returns whether the id has changed."""
        topic = frame.topic
        if not isinstance(frame.position, int) or not isinstance(topic, str):
            return False
        if frame.type in WITH_EPOCH:
            self._positions[topic] = (str(frame.epoch), frame.position)
        elif topic in self._positions:
            self._positions[topic] = (self._positions[topic][0], frame.position)
        else:
            return False
        return True

    def _is_own(self, frame: Envelope) -> bool:
        number = frame.ref
        return frame.type == "ok" and number in self._joining and self._topics[number] == frame.topic
