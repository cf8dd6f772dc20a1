"""Ends of the client over HTTP: those that it comes back from, and those for good."""

import asyncio
import time

import pytest

from hubbub.client import ConnectionEnded, http_wire
from tests.client.test_over_http import TOPIC, client, first_join, read_on
from tests.support.scripted_http import SECONDS, Commands, Request, scripted_http


@pytest.mark.parametrize(("status", "code"), [(401, 4001), (403, 4005)])
async def test_a_refused_sign_in_ends_the_client_also_later(status: int, code: int) -> None:
    async def refusing(stream: Request, commands: Commands) -> None:
        stream.refuse(status, "no")
        await stream.gone()

    async def losing(stream: Request, commands: Commands) -> None:
        stream.begin()
        await first_join(stream, commands)

    async with scripted_http(refusing) as url:
        with pytest.raises(ConnectionEnded) as ended:
            await client(url).__aenter__()
        assert ended.value.code == code
    async with scripted_http(losing, refusing) as url, client(url) as hub:
        with pytest.raises(ConnectionEnded) as ended:
            await read_on(hub.topic(TOPIC))
        assert ended.value.code == code


@pytest.mark.parametrize("code", [4001, 4003])
async def test_a_close_for_good_ends_the_client(code: int) -> None:
    async def conversation(stream: Request, commands: Commands) -> None:
        stream.begin()
        await first_join(stream, commands)
        stream.end(code, "it ended")

    async with scripted_http(conversation) as url, client(url) as hub:
        with pytest.raises(ConnectionEnded) as ended:
            await read_on(hub.topic(TOPIC))
        assert ended.value.code == code


async def test_a_command_under_way_is_answered_although_its_stream_ends() -> None:
    async def drained(stream: Request, commands: Commands) -> None:
        stream.begin()
        said = await commands.next("say")
        stream.end(1012, "Restart")
        await asyncio.sleep(0.1)
        said.answer(200, {"type": "ok", "ref": said.command["ref"], "topic": TOPIC, "result": 1})
        await stream.gone()

    async def next_one(stream: Request, commands: Commands) -> None:
        stream.begin()
        done.set()
        await stream.gone()

    done = asyncio.Event()
    async with scripted_http(drained, next_one) as url, client(url) as hub, asyncio.timeout(SECONDS):
        assert await hub.send(TOPIC, "say", retry=False) == 1
        await done.wait()


async def test_other_answers_are_tried_again_or_say_that_there_is_no_endpoint() -> None:
    async def missing(stream: Request, commands: Commands) -> None:
        stream.answer(404, b"<html>")

    async def page(stream: Request, commands: Commands) -> None:
        stream.answer(200, b"<html>", Content_Type="text/html")

    async def full(stream: Request, commands: Commands) -> None:
        stream.refuse(503, "unavailable", Retry_After="0")

    async def garbage(stream: Request, commands: Commands) -> None:
        stream.writer.write(b"SSH-2.0\r\n\r\n")

    async def working(stream: Request, commands: Commands) -> None:
        stream.begin()
        await stream.gone()

    for wrong in (missing, page):
        async with scripted_http(wrong) as url:
            with pytest.raises(ConnectionEnded, match="no endpoint"):
                await client(url).__aenter__()
    async with scripted_http(full, garbage, working) as url, client(url) as hub:
        assert hub.is_connected


async def test_a_silent_stream_is_given_up_and_comments_keep_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire, "SILENCE_SECONDS", 0.1)

    async def commenting(stream: Request, commands: Commands) -> None:
        stream.begin(heartbeat_ms=100)
        for _ in range(10):
            stream.block(b":\n\n")
            await asyncio.sleep(0.05)
        assert not stream.reader.at_eof()
        await stream.gone()

    async def back(stream: Request, commands: Commands) -> None:
        stream.begin()
        done.set()
        await stream.gone()

    done = asyncio.Event()
    async with scripted_http(commenting, back) as url, client(url):
        async with asyncio.timeout(SECONDS):
            await done.wait()


async def test_a_program_that_was_stopped_for_a_while_keeps_its_stream(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_wire, "SILENCE_SECONDS", 0.1)
    monkeypatch.setattr(http_wire, "LATE_SECONDS", 0.05)

    async def conversation(stream: Request, commands: Commands) -> None:
        stream.begin(heartbeat_ms=100)
        await asyncio.sleep(0.05)
        time.sleep(0.4)  # noqa: ASYNC251 - stops the client as well
        await asyncio.sleep(0.1)  # The server says something in its own time.
        stream.block(b":\n\n")
        done.set()
        await stream.gone()

    done = asyncio.Event()
    async with scripted_http(conversation) as url, client(url) as hub, asyncio.timeout(SECONDS):
        await done.wait()
        assert hub.is_connected
