"""Commands of a client: results, refusals, repetitions, and lost connections."""

import asyncio
from typing import Any

import pytest

from hubbub.client import ConnectionLost, Refused, hub
from tests.support.scripted_server import SECONDS, TOPIC, Frame, Peer, scripted
from tests.support.scripted_topics import client


def without_ref(frame: Frame) -> Frame:
    return {name: value for name, value in frame.items() if name != "ref"}


async def test_a_command_returns_its_result_or_raises_what_the_server_says() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        vote = await peer.command("vote")
        assert without_ref(vote) == {"type": "vote", "topic": "poll/7", "option": 4}
        await peer.answer(vote, result={"n": 5})
        await peer.answer(await peer.command("clear"))
        await peer.refuse(await peer.command("vote"), "rate_limited", "slowly", retry_after_ms=1500)
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        assert await hub.send("poll/7", "vote", option=4) == {"n": 5}
        assert await hub.send("poll/7", "clear") is None
        with pytest.raises(Refused) as refused:
            await hub.send("poll/7", "vote")
        error = refused.value
        assert (error.code, error.detail, error.retry_after_ms) == ("rate_limited", "slowly", 1500)


@pytest.mark.parametrize("fields", [{"id": "m1"}, {"retry": True}])
async def test_a_command_that_may_be_repeated_is_sent_again_until_it_is_answered(fields: Any) -> None:
    async def first(peer: Peer) -> None:
        await peer.admit()
        await peer.refuse(await peer.command("message.post"), "rate_limited", retry_after_ms=30)
        await peer.refuse(await peer.command("message.post"), "unavailable")
        peer.commands.append(await peer.command("message.post"))
        sent.extend(map(without_ref, peer.commands))
        peer.cut()

    async def second(peer: Peer) -> None:
        await peer.admit()
        again = await peer.command("message.post")
        sent.append(without_ref(again))
        await peer.answer(again, result={"seq": 1})
        await peer.gone()

    sent: list[Frame] = []
    async with scripted(first, second) as url, client(url) as hub:
        async with asyncio.timeout(SECONDS):
            assert await hub.send(TOPIC, "message.post", body="hi", **fields) == {"seq": 1}
        assert len(sent) == 5
        assert all(frame == sent[0] for frame in sent)


@pytest.mark.parametrize("fields", [{}, {"id": "m1", "retry": False}])
async def test_a_command_that_may_not_be_repeated_is_lost_with_its_connection(fields: Any) -> None:
    async def first(peer: Peer) -> None:
        await peer.admit()
        await peer.command("message.edit")
        peer.cut()

    async def second(peer: Peer) -> None:
        await peer.admit()
        await peer.answer(await peer.command("message.edit"), result="done")
        await peer.gone()

    async with scripted(first, second) as url, client(url) as hub:
        with pytest.raises(ConnectionLost):
            await hub.send(TOPIC, "message.edit", seq=1, body="x", **fields)
        # Between connections it waits for the next one: it has not been sent yet.
        assert await hub.send(TOPIC, "message.edit", seq=1, body="x", **fields) == "done"


async def test_commands_without_an_answer_are_sent_again_in_their_order() -> None:
    async def first(peer: Peer) -> None:
        await peer.admit()
        assert [(await peer.command("message.post"))["id"] for _ in range(5)] == list("abcde")
        peer.cut()

    async def second(peer: Peer) -> None:
        await peer.admit()
        for name in "abcde":
            command = await peer.command("message.post")
            assert command["id"] == name
            await peer.answer(command)
        await peer.gone()

    async with scripted(first, second) as url, client(url) as hub, asyncio.timeout(SECONDS):
        await asyncio.gather(*(hub.send(TOPIC, "message.post", id=name, body=name) for name in "abcde"))


async def test_a_command_that_is_longer_than_the_server_takes_is_not_sent() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit(limits={"frame_bytes": 200})
        assert (await peer.gone()) == []

    async with scripted(conversation) as url, client(url) as hub:
        with pytest.raises(Refused) as refused:
            await hub.send(TOPIC, "message.post", id="m1", body="x" * 200)
        assert refused.value.code == "too_long"


async def test_the_longest_command_is_given_up_when_the_server_closes_with_1009() -> None:
    async def first(peer: Peer) -> None:
        await peer.admit()
        for _ in range(2):
            await peer.command("message.post")
        await peer.socket.close(1009)

    async def second(peer: Peer) -> None:
        await peer.admit()
        command = await peer.command("message.post")
        assert command["id"] == "short"
        await peer.answer(command, result=1)
        assert await peer.gone() == []

    async with scripted(first, second) as url, client(url) as hub, asyncio.timeout(SECONDS):
        short, long = await asyncio.gather(
            hub.send(TOPIC, "message.post", id="short", body="x"),
            hub.send(TOPIC, "message.post", id="long", body="x" * 100),
            return_exceptions=True,
        )
        assert short == 1
        assert isinstance(long, Refused)
        assert long.code == "too_long"


async def test_a_late_answer_to_a_cancelled_command_disturbs_nothing() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        slow = await peer.command("slow")
        quick = await peer.command("quick")
        await peer.answer(slow, result="late")
        await peer.answer(quick, result="quick")
        await peer.answer(quick, result="twice")
        await peer.answer(await peer.command("last"), result="last")
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                await hub.send(TOPIC, "slow")
        assert await hub.send(TOPIC, "quick") == "quick"
        assert await hub.send(TOPIC, "last") == "last"


async def test_past_the_limit_commands_go_one_after_another() -> None:
    """A hundred at once: the server would close a socket that sends them all again together."""
    posts, bound = 100, hub.MAX_IN_FLIGHT

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        for _ in range(bound):
            await peer.command("message.post")
        await peer.silent(0.02)  # No more come before an answer.
        for command in peer.commands:
            await peer.refuse(command, "rate_limited", retry_after_ms=20)
        answered = set()
        for _ in range(posts):
            command = await peer.command("message.post")
            await peer.silent(0.002)
            answered.add(command["id"])
            await peer.answer(command)
        assert len(answered) == posts
        assert await peer.gone() == []

    async with scripted(conversation) as url, client(url) as connected, asyncio.timeout(SECONDS):
        sending = (connected.send(TOPIC, "message.post", id=str(number)) for number in range(posts))
        await asyncio.gather(*sending)


async def test_commands_that_wait_end_with_the_client() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.command("message.post")
        await peer.gone()

    async with scripted(conversation) as url:
        async with client(url) as hub:
            sending = asyncio.create_task(hub.send(TOPIC, "message.post", id="m1", body="x"))
            await asyncio.sleep(0.02)
        with pytest.raises(ConnectionLost, match="closed"):
            await sending
