"""Streams: their ids cover what was written, and nothing else; and what they take by POST."""

import asyncio
import json
from typing import Any

import pytest
from asgiref.sync import sync_to_async

from hubbub.asgi.doors import positions
from hubbub.protocol import ErrorCode, Refused
from hubbub.runtime import runtime
from tests.support.door_request import Doors, Request, note, page_of
from tests.support.polls.models import Note
from tests.support.polls.topics import BoardTopic

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]

PLAN = "board/plan"


@pytest.fixture
async def page(alice: Any, served: None) -> Doors:
    return await page_of(alice, BoardTopic)


async def name_of(stream: Request) -> str:
    found: str = (await stream.frame("hello"))["stream"]
    return found


async def post(page: Doors, stream: Request, kind: str, **fields: Any) -> Request:
    """As a page: with the token of its stream."""
    hello = await stream.frame("hello")
    cookie = f"{page.headers['cookie']}; {stream.headers['set-cookie'].split(';')[0]}"
    headers = {"cookie": cookie, "origin": "http://testserver", "x-csrftoken": hello["csrf"]}
    return await page.command(kind, hello["stream"], headers, **fields)


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
        taker = runtime().hub.streams[hello["stream"]]
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
        take = runtime().hub.streams[hello["stream"]]
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
    assert all(len(name) >= 22 for name in names)
    assert names[0][:4] != names[1][:4]


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
