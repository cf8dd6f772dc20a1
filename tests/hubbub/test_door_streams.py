"""Streams: their ids cover what was written, and nothing else; what they take by POST; and how they end."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth.models import Permission
from django.db import transaction

from hubbub import testing
from hubbub.asgi.doors import positions
from hubbub.asgi.doors.stream import Stream
from hubbub.process.metrics import COUNTERS
from hubbub.protocol import ErrorCode, Refused
from hubbub.runtime import runtime
from tests.support.door_request import Doors, Request, page_of
from tests.support.hubs import until
from tests.support.polls.models import Note
from tests.support.polls.topics import BoardTopic, PollTopic
from tests.support.topic_page import in_thread

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]

PLAN = "board/plan"


@pytest.fixture(autouse=True)
def may_view(alice: Any) -> None:
    alice.user_permissions.add(Permission.objects.get(codename="view_poll"))


@pytest.fixture
async def served() -> AsyncIterator[None]:
    async with testing.served():
        yield


@pytest.fixture
async def page(alice: Any, served: None) -> Doors:
    return await page_of(alice, PollTopic, BoardTopic)


def add_note(board: str, text: str) -> int:
    topic = BoardTopic(board)
    with transaction.atomic():
        note = Note.objects.create(board=board, position=topic.next_position(), text=text)
        topic.publish(note.position, topic.event(note))
    return int(note.position)


note: Any = in_thread(add_note)


async def name_of(stream: Request) -> str:
    found: str = (await stream.frame("hello"))["connection"]
    return found


async def post(page: Doors, stream: Request, kind: str, **fields: Any) -> Request:
    """As a page: with the token of its stream."""
    hello = await stream.frame("hello")
    cookie = f"{page.headers['cookie']}; {stream.headers['set-cookie'].split(';')[0]}"
    headers = {"cookie": cookie, "origin": "http://testserver", "x-csrftoken": hello["csrf"]}
    return await page.command(kind, hello["connection"], headers, **fields)


# Ids


async def test_the_first_id_after_a_resume_has_the_positions_of_all_topics(
    page: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = await note("plan", "one"), await note("other", "two")
    async with page.stream(PLAN, "board/other") as stream:
        await stream.until(lambda: len(stream.ids) >= 1 and stream.ids[-1].count(",") == 1)
        known = stream.ids[-1]
    may_answer = asyncio.Event()
    enter = BoardTopic.enter

    def slow(self: Any, identity: Any) -> Any:
        if self.key == "other" and not may_answer.is_set():
            raise Refused(ErrorCode.UNAVAILABLE, "busy", retry_after_ms=60_000)
        return enter(self, identity)

    monkeypatch.setattr(BoardTopic, "enter", slow)
    async with page.stream(PLAN, "board/other", resume=known) as stream:
        await stream.frame("ok", ref=0)
        await note("plan", "three")
        await stream.frame("noted", text="three")
        await stream.until(lambda: stream.ids and stream.ids[-1].find(f":{first + 1}") > 0)
        assert positions.unpack(stream.ids[0]).keys() == {PLAN, "board/other"}
        assert positions.unpack(stream.ids[0])["board/other"] == positions.unpack(known)["board/other"]


async def test_a_command_that_is_told_leaves_the_position_as_it_is(page: Doors) -> None:
    await note("plan", "one")
    async with page.stream(PLAN) as stream:
        answer = await stream.frame("ok", ref=0)
        assert (await post(page, stream, "note.typing", topic=PLAN)).status == 202
        assert (await stream.frame("ok", ref="p")) == {"type": "ok", "ref": "p", "topic": PLAN}
        position = await note("plan", "two")
        await stream.frame("noted", text="two")
        await stream.until(lambda: positions.unpack(stream.ids[-1])[PLAN][1] == position)
        assert all(positions.unpack(one)[PLAN][0] == answer["epoch"] for one in stream.ids)
        assert (await post(page, stream, "leave", topic=PLAN, ref="l")).status == 202
        await stream.frame("ok", ref="l")
        await stream.until(lambda: stream.ids[-1] == "")


async def test_fields_of_an_event_are_the_projects_own(page: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"epoch": 3, "partial": "x", "retry_after_ms": "soon", "ref": [0], "complete": {}}
    monkeypatch.setattr(BoardTopic, "event", lambda self, note: {"type": "noted", "text": note.text, **own})
    async with page.stream(PLAN) as stream:
        answer = await stream.frame("ok", ref=0)
        first = await note("plan", "one")
        assert (await stream.frame("noted", text="one"))["epoch"] == 3
        own["epoch"] = "mine"  # type: ignore[assignment]
        second = await note("plan", "two")
        assert (await stream.frame("noted", text="two"))["epoch"] == "mine"
        await stream.until(lambda: len(stream.ids) >= 3)
        assert [positions.unpack(one)[PLAN] for one in stream.ids[1:]] == [
            (answer["epoch"], first),
            (answer["epoch"], second),
        ]


async def test_refs_of_a_client_are_not_those_of_the_address(page: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    """The join of a client is refused: it is told so, and the topic of the address is not joined in its place."""
    async with page.stream(PLAN, "board/other") as stream:
        await stream.frame("ok", ref=1)
        busy = Refused(ErrorCode.UNAVAILABLE, "busy", retry_after_ms=10)
        enter = BoardTopic.enter

        def refuse(self: Any, identity: Any) -> Any:
            if self.key == "third":
                raise busy
            return enter(self, identity)

        monkeypatch.setattr(BoardTopic, "enter", refuse)
        await stream.frame("ok", ref=0)
        before = len(stream.frames)
        assert (await post(page, stream, "join", topic="board/third", ref=1)).status == 202
        assert (await stream.frame("error", ref=1))["code"] == "unavailable"
        await asyncio.sleep(0.05)
        assert [frame["type"] for frame in stream.frames[before:] if frame["type"] in ("ok", "error")] == ["error"]


async def test_joins_by_post_that_wait_count_for_the_length_of_an_id(page: Doors) -> None:
    async with page.stream() as stream:
        hello = await stream.frame("hello")
        taker = runtime().hub.streams[hello["connection"]]
        user_id = hello["user"]["id"]
        for number in range(40):
            taker(user_id, json.dumps({"type": "join", "ref": number, "topic": f"board/{'x' * 190}{number}"}))
        refused = await stream.frame("error", code="too_many")
        assert refused["detail"] == "too many topics for one stream: leave one first"


# Commands by POST


async def test_a_stream_takes_joins_leaves_and_what_is_told_alone(page: Doors) -> None:
    """Else somebody in Redis would write to the database in the name of a user."""
    async with page.stream(PLAN) as stream:
        await stream.frame("ok", ref=0)
        hello = await stream.frame("hello")
        take = runtime().hub.streams[hello["connection"]]
        for text in (
            '{"type":"note.add","ref":"x","topic":"board/plan","id":"1","text":"forged"}',
            '{"type":"note.typing","ref":"x","topic":"poll/1"}',
            '{"type":"state","ref":"x","topic":"board/plan"}',
            '{"type":"join","ref":[],"topic":"board/plan"}',
            '{"type":"join","ref":' + "[" * 50_000,
            "[]",
        ):
            take(hello["user"]["id"], text)
        take(hello["user"]["id"], '{"type":"note.typing","ref":"t","topic":"board/plan"}')
        await stream.frame("ok", ref="t")
        assert not [frame for frame in stream.frames if frame.get("ref") == "x"]
        assert not await sync_to_async(Note.objects.count)()


async def test_the_name_of_a_stream_cannot_be_guessed(page: Doors) -> None:
    async with page.stream() as one, page.stream() as two:
        names = [await name_of(stream) for stream in (one, two)]
    assert all(len(name.partition(".")[2]) >= 16 for name in names)
    assert len({name.partition(".")[2] for name in names}) == 2


async def test_a_command_for_a_stream_is_counted_by_the_request(page: Doors, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[Any] = []
    monkeypatch.setattr(
        "hubbub.asgi.doors.one_command.publish_stream_command", lambda *command: published.append(command)
    )
    async with page.stream() as stream:
        hello = await stream.frame("hello")
        cookie = f"{page.headers['cookie']}; {stream.headers['set-cookie'].split(';')[0]}"
        headers = {"cookie": cookie, "origin": "http://testserver", "x-csrftoken": hello["csrf"]}
        statuses = [(await page.command("leave", "web-9:1.x", headers, topic=PLAN)).status for _ in range(3)]
        assert statuses == [202] * 3
        from hubbub.limits import quotas

        limits = quotas.quotas()
        while not limits.commands.take(hello["user"]["id"]):
            pass
        refused = await page.command("leave", "web-9:1.x", headers, topic=PLAN)
        assert (refused.status, refused.json["code"]) == (429, "rate_limited")
        assert "retry-after" in refused.headers
        assert len(published) == 3
        malformed = await page.command("join", "web-9:1.x", headers, topic=7)
        assert malformed.status in (400, 429)
        assert len(published) == 3


# Slow clients, and ends


async def test_a_comment_and_an_event_are_written_one_after_the_other(page: Doors) -> None:
    """Two writers at a time would wait for each other on our server, and the stream would be silent for ever."""
    async with page.stream(PLAN) as stream:
        await stream.frame("ok", ref=0)
        await stream.until(lambda: stream.ids)
        stream.reads.clear()
        live = _only_stream()
        for _ in range(3):
            live.beat()
            await asyncio.sleep(0.01)
        await note("plan", "one")
        await asyncio.sleep(0.05)
        stream.reads.set()
        await stream.frame("noted", text="one")
        assert stream.body.count(b":\n\n") <= 2


async def test_streams_that_do_not_read_keep_no_comment_from_the_others(
    page: Doors, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HUBBUB = settings.HUBBUB | {"HEARTBEAT_SECONDS": 1}
    async with page.stream() as stuck, page.stream() as other:
        for stream in (stuck, other):
            await stream.frame("hello")
        stuck.reads.clear()
        async with asyncio.timeout(4):
            while other.body.count(b"\n:\n\n") < 2:
                await asyncio.sleep(0.05)


async def test_a_client_that_never_reads_ends_with_its_outbox(page: Doors, settings: Any) -> None:
    """Also where `send` waits for ever, as on uvicorn: nothing of the stream is left."""
    settings.HUBBUB = settings.HUBBUB | {"OUTBOX_BYTES": 64 * 1024}
    before = (COUNTERS.sockets, COUNTERS.streams)
    request = page.begin("GET", f"/live/events?topic={PLAN}")
    await request.frame("ok", ref=0)
    request.reads.clear()
    for number in range(10):
        await note("plan", f"{number} {'x' * 10_000}")
    await request.ended()
    assert (COUNTERS.sockets, COUNTERS.streams) == before
    assert not runtime().hub.streams


async def test_a_write_that_fails_ends_the_stream(page: Doors, caplog: pytest.LogCaptureFixture) -> None:
    async with page.stream(PLAN) as stream:
        await stream.frame("ok", ref=0)
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr(Stream, "_wrote", _fails)
            await note("plan", "one")
            await stream.ended()
        assert stream.is_complete
        assert "http: an answer failed" in caplog.text
    assert not runtime().hub.streams


@pytest.mark.parametrize("turns", range(0, 12, 1))
async def test_a_client_that_goes_at_any_moment_leaves_nothing(page: Doors, turns: int) -> None:
    before = (COUNTERS.sockets, COUNTERS.streams)
    request = page.begin("GET", f"/live/events?topic={PLAN}")
    for _ in range(turns):
        await asyncio.sleep(0.004)
    request.goes()
    await request.ended()
    assert (COUNTERS.sockets, COUNTERS.streams) == before
    assert not runtime().hub.streams
    await until(lambda: not runtime().hub.groups)


def _only_stream() -> Stream:
    (take,) = runtime().hub.streams.values()
    found: Stream = take.__self__  # type: ignore[attr-defined]
    return found


async def _fails(self: Stream, texts: list[str]) -> None:
    raise RuntimeError("broken")
