"""Frames of topics: what an event may look like."""

from typing import Any

import msgspec
import pytest

from hubbub.topics.frames import event_text


class Noted(msgspec.Struct, tag_field="type", tag="noted"):
    text: str


class Placed(msgspec.Struct, tag_field="type", tag="placed"):
    position: int


def test_an_event_gets_its_topic_and_its_position() -> None:
    for event in (Noted("Tea"), {"type": "noted", "text": "Tea"}):
        frame = {"type": "noted", "topic": "board/plan", "text": "Tea"}
        assert msgspec.json.decode(event_text("board/plan", event)) == frame
        assert msgspec.json.decode(event_text("board/plan", event, 4)) == frame | {"position": 4}
    assert msgspec.json.decode(event_text("poll", {"type": "ended"})) == {"type": "ended", "topic": "poll"}


@pytest.mark.parametrize(
    "event",
    [
        {"text": "no type"},
        {"type": "closed", "code": "forbidden"},
        {"type": "state", "state": {}},
        {"type": "ok", "ref": 1},
        {"type": "hello"},
        {"type": "noted", "position": 5},
        {"type": "noted", "topic": "another"},
        Placed(5),
    ],
    ids=str,
)
def test_an_event_that_would_pass_for_a_frame_of_the_engine_is_an_error(event: Any) -> None:
    with pytest.raises(TypeError, match="board/plan"):
        event_text("board/plan", event, 4)
