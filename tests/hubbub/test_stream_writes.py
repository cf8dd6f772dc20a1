"""Events of a group go to streams at once where the server can write past ASGI: encoded once, and in order."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from hubbub.asgi.doors import stream as stream_module
from hubbub.asgi.doors.stream import Stream, StreamOutbox, shared_by_all
from hubbub.asgi.doors.stream_topics import StreamTopics
from hubbub.delivery.frames import Frames
from hubbub.protocol import to_json

TOPIC = "board/plan"


class Answer:
    """The answer of a stream, written by ASGI and past it: `ways` has each write's way."""

    def __init__(self) -> None:
        self.is_empty = True
        self.body = b""
        self.ways: list[str] = []
        self.may_send = asyncio.Event()
        self.may_send.set()

    def is_clear(self) -> bool:
        return self.is_empty

    def write_now(self, body: bytes) -> None:
        self.ways.append("direct")
        self.body += body

    async def send(self, message: dict[str, Any]) -> None:
        await self.may_send.wait()
        self.ways.append("asgi")
        self.body += message["body"]


async def unused(*_: Any) -> Any:
    raise AssertionError


def frames(*positions: int, topic: str = TOPIC, **fields: Any) -> Frames:
    fields = {"type": "noted", "topic": topic, **fields}
    return Frames(*(to_json({**fields, "position": position}).decode() for position in positions))


def blocks(*positions: int) -> bytes:
    return b"".join(b"data: " + text.encode() + b"\n\n" for text in frames(*positions).texts)


def identified(position: int) -> bytes:
    return b"id: %b:e:%d\n\n" % (TOPIC.encode(), position)


class Opened:
    """A stream whose join was answered, with its writer."""

    def __init__(self, positions: dict[str, tuple[str, int]]) -> None:
        self.answer = Answer()
        topics = StreamTopics([*positions], positions)
        made = Stream(unused, unused, self.answer.send, topics, lambda _: False, None, self.answer)
        made.is_started = made._is_welcome = True
        self.outbox: StreamOutbox = made.make_outbox(made._send, lambda: None)
        self.stream = made
        self.writer = asyncio.create_task(self.outbox.run())


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    made = Opened({TOPIC: ("e", 1)})
    yield made
    made.writer.cancel()


async def until_written(opened: Opened, body: bytes) -> None:
    async with asyncio.timeout(5):
        while len(opened.answer.body) < len(body):
            await asyncio.sleep(0)
    assert opened.answer.body == body


async def test_events_are_written_at_once_with_one_id(opened: Opened) -> None:
    opened.outbox.put_frames(frames(2, 3))
    opened.outbox.put_frames(frames(4))
    assert opened.answer.body == blocks(2, 3) + identified(3) + blocks(4) + identified(4)
    assert opened.answer.ways == ["direct", "direct"]


async def test_events_wait_behind_bytes_and_frames_that_wait(opened: Opened) -> None:
    opened.answer.is_empty = False
    opened.outbox.put_frames(frames(2))
    opened.answer.is_empty = True
    opened.outbox.put_frames(frames(3))
    assert opened.answer.body == b""
    await until_written(opened, blocks(2, 3) + identified(3))
    assert opened.answer.ways == ["asgi"]


async def test_events_wait_behind_a_write_by_asgi_that_has_not_ended(opened: Opened) -> None:
    opened.answer.may_send.clear()
    opened.outbox.put(frames(2).texts[0])
    await asyncio.sleep(0.01)
    opened.outbox.put_frames(frames(3))
    assert opened.answer.ways == []
    opened.answer.may_send.set()
    await until_written(opened, blocks(2) + identified(2) + blocks(3) + identified(3))
    opened.outbox.put_frames(frames(4))
    assert opened.answer.ways == ["asgi", "asgi", "direct"]


@pytest.mark.parametrize("kind", ["ok", "error", "closed"])
async def test_frames_that_are_no_events_go_by_asgi(opened: Opened, kind: str) -> None:
    opened.outbox.put_frames(frames(2, type=kind, epoch="e"))
    assert opened.answer.ways == []
    async with asyncio.timeout(5):
        while not opened.answer.ways:
            await asyncio.sleep(0)
    assert opened.answer.ways == ["asgi"]


@pytest.mark.parametrize(("name", "value"), [("is_started", False), ("is_over", True)])
async def test_nothing_is_written_before_the_head_of_the_answer_and_after_the_end(
    opened: Opened, name: str, value: bool
) -> None:
    setattr(opened.stream, name, value)
    opened.outbox.put_frames(frames(2))
    assert opened.answer.ways == []


async def test_nothing_is_written_behind_a_close(opened: Opened) -> None:
    opened.answer.may_send.clear()
    opened.outbox.close(1000, "")
    await asyncio.sleep(0.01)  # The writer waits in the middle of the close.
    opened.outbox.put_frames(frames(2))
    assert opened.answer.ways == []
    opened.answer.may_send.set()
    async with asyncio.timeout(5):
        await opened.writer
    assert opened.answer.body.startswith(b"event: close\n")
    assert blocks(2) not in opened.answer.body


async def test_an_id_has_the_last_position_of_each_topic() -> None:
    opened = Opened({TOPIC: ("e", 1), "board/other": ("f", 7)})
    both = Frames.joined([frames(2, 3), frames(8, topic="board/other"), frames(4)])
    opened.outbox.put_frames(both)
    assert opened.answer.body.endswith(b"\n\nid: board/plan:e:4,board/other:f:8\n\n")
    opened.writer.cancel()


async def test_all_streams_share_the_encoded_events_and_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    pack = stream_module.envelope_of
    monkeypatch.setattr(stream_module, "envelope_of", lambda text: made.append(text) or pack(text))
    first, second = Opened({TOPIC: ("e", 1)}), Opened({TOPIC: ("e", 1)})
    shared = frames(2_000_000, 2_000_001)
    for opened in (first, second):
        opened.outbox.put_frames(shared)
        opened.writer.cancel()
    assert len(made) == 2
    assert shared_by_all(shared) is shared_by_all(shared)
    assert first.answer.body == second.answer.body == blocks(2_000_000, 2_000_001) + identified(2_000_001)
