"""Topics that the server closes or refuses, presence, and iterations that end."""

import asyncio

import pytest

from hubbub.client import ConnectionEnded, Subscription, TopicClosed
from tests.support.scripted_server import EPOCH, SECONDS, TOPIC, Peer, event, scripted
from tests.support.scripted_topics import ALICE, BOB, client, positions, take


async def test_the_server_closes_one_topic_and_the_other_goes_on() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.joined(1)
        await peer.events(2, topic="room/a")
        await peer.send({"type": "closed", "topic": "room/a", "code": "banned"})
        await peer.events(3, topic="room/a")
        await peer.events(2, topic="room/b")
        await peer.joined(7)
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        rooms = [hub.topic(address) for address in ("room/a", "room/b")]
        assert positions(await take(rooms[0], 2)) == [1, 2]
        with pytest.raises(TopicClosed) as closed:
            await take(rooms[0], 1)
        assert (closed.value.topic, closed.value.code, str(closed.value)) == ("room/a", "banned", "room/a: banned")
        assert positions(await take(rooms[1], 2)) == [1, 2]
        assert positions(await take(hub.topic("room/a"), 1)) == [7]  # It may be opened again.


async def test_a_refused_join_is_a_closed_topic() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.refuse(await peer.command("join"), "not_found", "no such room")
        await peer.refuse(await peer.command("join"), "forbidden", "no right")
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        with pytest.raises(TopicClosed, match="room/lounge: not_found: no such room"):
            await take(hub.topic(TOPIC), 1)
        with pytest.raises(TopicClosed, match="forbidden"):
            async with hub.topic(TOPIC):
                raise AssertionError("it was joined")


async def test_a_join_that_is_refused_for_now_is_sent_again() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.refuse(await peer.command("join"), "rate_limited", retry_after_ms=20)
        await peer.refuse(await peer.command("join"), "unavailable")
        await peer.refuse(await peer.command("join"), "too_many", retry_after_ms=10)
        await peer.joined(3)
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        assert positions(await take(hub.topic(TOPIC), 1)) == [3]


async def test_an_end_during_a_join_is_of_the_membership_before() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.send({"type": "service.changed", "state": "degraded"})
        await peer.send({"type": "service.changed", "state": "ok"})
        join = await peer.command("join")
        await peer.send({"type": "closed", "topic": TOPIC, "code": "removed"})
        await peer.answer(join, epoch=EPOCH, position=2, complete=True, events=[event(2)])
        await peer.events(3)
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        assert positions(await take(hub.topic(TOPIC), 3)) == [1, 2, 3]
        assert hub.state == "ok"


async def test_topics_are_joined_again_after_an_outage_unless_they_shall_not() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.send({"type": "service.changed", "state": "ok"})
        await peer.events(2)
        assert await peer.gone() == []

    async with scripted(conversation) as url, client(url, refreshes=False) as hub:
        assert positions(await take(hub.topic(TOPIC), 2)) == [1, 2]


async def test_the_users_present_are_known() -> None:
    sends = asyncio.Event()

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1, present={"count": 1, "users": [ALICE]})
        presence = {"type": "presence.changed", "topic": TOPIC}
        await sends.wait()
        await peer.send({**presence, "count": 2, "joined": [BOB], "left": []})
        await peer.send({"type": "person.changed", "user": {"id": "7", "name": "alicia"}})
        await peer.answer(await peer.command("vote"))
        vote = await peer.command("vote")
        await peer.send({**presence, "count": 1, "joined": [], "left": [BOB]})
        await peer.answer(vote)
        vote = await peer.command("vote")
        await peer.send({**presence, "count": 900, "joined": None, "left": None})
        await peer.answer(vote)
        await peer.answer(await peer.command("leave"))
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        async with hub.topic(TOPIC) as room:
            assert room.present == {"count": 1, "users": [ALICE]}
            sends.set()
            seen = []
            for _ in range(3):
                await room.send("vote")
                seen.append(room.present and room.present["users"])
            assert [each["type"] for each in await take(room, 4)] == ["state", *["presence.changed"] * 3]
            assert room.present == {"count": 900, "users": None}
        alicia = {"id": "7", "name": "alicia"}
        assert seen == [[alicia, BOB], [alicia], None]
        assert hub.user == alicia


async def test_a_topic_is_open_once() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.gone()

    async with scripted(conversation) as url:
        async with client(url) as hub:
            hub.topic(TOPIC)
            with pytest.raises(ValueError, match="open already"):
                hub.topic(TOPIC)
        with pytest.raises(ConnectionError, match="closed"):
            hub.topic(TOPIC)
    with pytest.raises(RuntimeError, match="enter"):
        client(url).topic(TOPIC)


async def test_iterations_of_other_tasks_end_with_the_client() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        for _ in range(2):
            await peer.joined(1)
        await peer.gone()

    async def read(room: Subscription) -> list[int]:
        return [each["position"] async for each in room]

    async with scripted(conversation) as url:
        async with client(url) as hub:
            rooms = [hub.topic(f"room/{name}") for name in "ab"]
            tasks = [asyncio.create_task(read(room)) for room in rooms]
            for room in rooms:
                await room.joined()
        async with asyncio.timeout(SECONDS):
            assert await asyncio.gather(*tasks) == [[1], [1]]


async def test_a_connection_that_ended_for_good_ends_the_iterations() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.events(2)
        await peer.socket.close(4003, "Session ended")

    async with scripted(conversation) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        assert positions(await take(room, 2)) == [1, 2]
        with pytest.raises(ConnectionEnded) as ended:
            await take(room, 1)
        assert (ended.value.code, str(ended.value)) == (4003, "Session ended (4003)")
        with pytest.raises(ConnectionEnded):
            await room.send("message.post", id="x", body="y")


async def test_a_reader_that_is_cancelled_loses_no_event() -> None:
    sends = asyncio.Event()

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(0)
        await sends.wait()
        await peer.events(1, 2)
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        await take(room, 1)
        for _ in range(3):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.01):
                    await anext(room)
        sends.set()
        assert positions(await take(room, 2)) == [1, 2]
