"""The client over HTTP: streams, and commands by POST."""

import asyncio
from typing import Any

import pytest

from hubbub.client import Client, ConnectionLost, Refused, http_wire, timing
from tests.support.scripted_http import SECONDS, Commands, Request, scripted_http

TOPIC = "room/lounge"
OTHER = "room/bar"
TOKEN = "hub_x"


def client(url: str, **more: Any) -> Client:
    return Client(url, token=TOKEN, **more)


async def first_join(stream: Request, commands: Commands, position: int = 0) -> Request:
    """The join of a client that has just come: by POST, answered over the stream."""
    join = await commands.next("join")
    join.accept()
    stream.joined(join.command["ref"], TOPIC, position)
    return join


async def positions_of(room: Any, count: int) -> list[int]:
    async with asyncio.timeout(SECONDS):
        return [(await anext(room))["position"] for _ in range(count)]


async def read_on(room: Any) -> None:
    async with asyncio.timeout(SECONDS):
        async for _ in room:
            pass


async def test_it_signs_in_by_header_joins_by_post_and_gets_events() -> None:
    async def conversation(stream: Request, commands: Commands) -> None:
        assert (stream.method, stream.query) == ("GET", {})
        assert stream.headers["authorization"] == f"Bearer {TOKEN}"
        assert stream.headers["accept"] == "text/event-stream"
        stream.begin(stream="a secret")
        join = await first_join(stream, commands, 3)
        assert join.query == {"stream": ["a secret"]}
        assert join.headers["authorization"] == f"Bearer {TOKEN}"
        assert join.headers["content-type"] == "application/json"
        stream.block(b":\n\n")
        # Blocks are cut anywhere.
        stream.block(b'data: {"type":"said","topic":"room/loun')
        await asyncio.sleep(0.01)
        stream.block(b'ge","position":4}\n')
        await asyncio.sleep(0.01)
        stream.block(b"\nid: room/lounge:e1:4\n\n")
        await stream.gone()

    async with scripted_http(conversation) as url, client(url) as hub:
        assert hub.user["name"] == "alice"
        assert await positions_of(hub.topic(TOPIC), 2) == [3, 4]


async def test_a_command_is_answered_in_the_body_or_refused_there() -> None:
    async def conversation(stream: Request, commands: Commands) -> None:
        stream.begin()
        said = await commands.next("say")
        said.answer(200, {"type": "ok", "ref": said.command["ref"], "topic": TOPIC, "result": {"position": 5}})
        (await commands.next("say")).refuse(409, "conflict")
        (await commands.next("say")).refuse(429, "rate_limited", Retry_After="3")
        limited = await commands.next("say")
        limited.refuse(429, "rate_limited", Retry_After="0")
        again = await commands.next("say")
        assert again.command | {"ref": 0} == limited.command | {"ref": 0}
        again.answer(200, {"type": "ok", "ref": again.command["ref"], "topic": TOPIC})
        await stream.gone()

    async with scripted_http(conversation) as url, client(url) as hub:
        assert await hub.send(TOPIC, "say", body="one") == {"position": 5}
        with pytest.raises(Refused) as refused:
            await hub.send(TOPIC, "say", body="two")
        assert refused.value.code == "conflict"
        with pytest.raises(Refused) as refused:
            await hub.send(TOPIC, "say", body="two")
        assert refused.value.retry_after_ms == 3000
        assert await hub.send(TOPIC, "say", id="3", body="three") is None


async def test_a_lost_stream_is_resumed_in_the_address_of_the_next_one() -> None:
    async def first(stream: Request, commands: Commands) -> None:
        stream.begin()
        for topic, position in ((TOPIC, 3), (OTHER, 8)):
            join = await commands.next("join")
            join.accept()
            stream.joined(join.command["ref"], topic, position)
        stream.events(TOPIC, 4)
        await asyncio.sleep(0.05)

    async def second(stream: Request, commands: Commands) -> None:
        assert stream.query == {"topic": [TOPIC, OTHER]}
        assert stream.headers["last-event-id"] == "room/lounge:e1:4,room/bar:e1:8"
        stream.begin()
        part = [{"type": "said", "topic": TOPIC, "position": 5}]
        stream.joined(0, TOPIC, 5, complete=True, events=part, partial=True)
        stream.joined(1, OTHER, 8, complete=True, events=[])
        stream.joined(0, TOPIC, 6, complete=True, events=[{"type": "said", "topic": TOPIC, "position": 6}])
        stream.events(TOPIC, 7)
        stream.events(OTHER, 9)
        said = await commands.next("say")
        assert said.command["ref"] not in (0, 1)
        said.answer(200, {"type": "ok", "ref": said.command["ref"], "topic": TOPIC})
        await stream.gone()
        assert commands.waiting == 0  # It has not joined once more.

    async with scripted_http(first, second) as url, client(url) as hub:
        room, other = hub.topic(TOPIC), hub.topic(OTHER)
        assert await positions_of(room, 5) == [3, 4, 5, 6, 7]
        assert await positions_of(other, 2) == [8, 9]
        await hub.send(TOPIC, "say")


async def test_a_topic_that_is_refused_in_the_address_is_closed() -> None:
    async def first(stream: Request, commands: Commands) -> None:
        stream.begin()
        await first_join(stream, commands)
        await asyncio.sleep(0.05)

    async def second(stream: Request, commands: Commands) -> None:
        stream.begin()
        stream.frame({"type": "error", "ref": 0, "code": "banned", "detail": "no"})
        await stream.gone()

    async with scripted_http(first, second) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        assert (await anext(room))["type"] == "state"
        with pytest.raises(Refused) as closed:
            await read_on(room)
        assert closed.value.code == "banned"
        assert hub.is_connected


async def test_a_site_with_a_lower_limit_of_topics_gets_them_one_by_one() -> None:
    async def first(stream: Request, commands: Commands) -> None:
        stream.begin()
        await first_join(stream, commands)
        await asyncio.sleep(0.05)

    async def refusing(stream: Request, commands: Commands) -> None:
        stream.refuse(400, "too_many")
        await stream.gone()

    async def third(stream: Request, commands: Commands) -> None:
        assert stream.query == {}
        stream.begin()
        join = await commands.next("join")
        assert join.command["after"] == 0
        join.accept()
        stream.joined(join.command["ref"], TOPIC, 1, complete=True, events=[])
        stream.events(TOPIC, 2)
        await stream.gone()

    async with scripted_http(first, refusing, third) as url, client(url) as hub:
        assert await positions_of(hub.topic(TOPIC), 2) == [0, 2]


async def test_an_accepted_command_without_an_answer_opens_another_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire.HttpWire, "answer_seconds", 0.1)

    async def deaf(stream: Request, commands: Commands) -> None:
        stream.begin()
        (await commands.next("join")).accept()  # And its process never hears of it.
        await stream.gone()

    async def next_one(stream: Request, commands: Commands) -> None:
        assert stream.query == {"topic": [TOPIC]}
        stream.begin()
        stream.joined(0, TOPIC, 4)
        await stream.gone()

    async with scripted_http(deaf, next_one) as url, client(url) as hub:
        assert await positions_of(hub.topic(TOPIC), 1) == [4]


async def test_commands_of_a_topic_go_one_after_another_and_those_of_others_do_not_wait() -> None:
    async def conversation(stream: Request, commands: Commands) -> None:
        stream.begin()
        first = await commands.next("say")
        other = await commands.next("look")
        assert commands.waiting == 0
        for request in (first, other):
            request.answer(200, {"type": "ok", "ref": request.command["ref"], "topic": TOPIC})
        second = await commands.next("say")
        assert second.command["number"] == 2
        second.answer(200, {"type": "ok", "ref": second.command["ref"], "topic": TOPIC})
        await stream.gone()

    async with scripted_http(conversation) as url, client(url) as hub, asyncio.timeout(SECONDS):
        await asyncio.gather(
            hub.send(TOPIC, "say", number=1), hub.send(TOPIC, "say", number=2), hub.send(OTHER, "look")
        )


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 502 Bad\r\nContent-Length: 2\r\n\r\nno", b"HTTP/1.1 2"])
async def test_a_command_whose_answer_is_lost_goes_again_on_the_next_stream(answer: bytes) -> None:
    async def losing(stream: Request, commands: Commands) -> None:
        stream.begin()
        lost = await commands.next("say")
        lost.writer.write(answer)
        lost.writer.close()
        await stream.gone()

    async def next_one(stream: Request, commands: Commands) -> None:
        stream.begin()
        again = await commands.next("say")
        again.answer(200, {"type": "ok", "ref": again.command["ref"], "topic": TOPIC, "result": 1})
        await stream.gone()

    async with scripted_http(losing, next_one) as url, client(url) as hub, asyncio.timeout(SECONDS):
        assert await hub.send(TOPIC, "say", id="1") == 1


async def test_a_command_under_way_is_lost_with_its_client() -> None:
    async def conversation(stream: Request, commands: Commands) -> None:
        stream.begin()
        asked.set_result(await commands.next("say"))
        await stream.gone()

    asked: asyncio.Future[Request] = asyncio.get_running_loop().create_future()
    async with scripted_http(conversation) as url:
        async with client(url) as hub:
            sending = asyncio.create_task(hub.send(TOPIC, "say", id="1"))
            await asked
        async with asyncio.timeout(SECONDS):
            await asyncio.wait([sending])
        assert isinstance(sending.exception(), ConnectionLost)


async def test_a_cancelled_command_closes_its_request_and_keeps_the_stream() -> None:
    async def conversation(stream: Request, commands: Commands) -> None:
        stream.begin()
        request = await commands.next("say")
        asked.set()
        await request.is_over.wait()
        again = await commands.next("say")
        again.answer(200, {"type": "ok", "ref": again.command["ref"], "topic": TOPIC, "result": 2})
        await stream.gone()

    asked = asyncio.Event()
    async with scripted_http(conversation) as url, client(url) as hub:
        sending = asyncio.create_task(hub.send(TOPIC, "say"))
        async with asyncio.timeout(SECONDS):
            await asked.wait()
            sending.cancel()
            await asyncio.wait([sending])
            assert await hub.send(TOPIC, "say") == 2


def test_a_token_that_fits_into_no_header_is_refused() -> None:
    for token in ("a\r\nX: b", "ä"):
        with pytest.raises(ValueError, match="token"):
            Client("http://localhost/live/", token=token)
    assert timing.ANSWER_SECONDS < timing.POST_SECONDS
