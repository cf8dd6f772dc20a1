"""A subscription gives each event once and in order, also after a lost connection."""

import asyncio
from typing import Any

from tests.support.scripted_server import EPOCH, SECONDS, TOPIC, Frame, Peer, event, scripted
from tests.support.scripted_topics import ALICE, BOB, client, positions, take, until


async def test_the_state_comes_first_and_then_each_event_until_close() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        assert await peer.joined(41, {"n": 1}, viewer={"role": "member"}) == {"type": "join", "ref": 1, "topic": TOPIC}
        await peer.events(42, 43)
        await peer.answer(await peer.command("leave"))
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        assert hub.user == ALICE
        room = hub.topic(TOPIC)
        state, *events = await take(room, 3)
        assert state == {"type": "state", "topic": TOPIC, "epoch": EPOCH, "position": 41, "state": {"n": 1}}
        assert events == [event(42), event(43)]
        assert (room.state, room.viewer, room.position, room.epoch) == ({"n": 1}, {"role": "member"}, 43, EPOCH)
        await room.close()
        assert [event async for event in room] == []


async def test_after_a_lost_socket_the_events_go_on_where_they_ended() -> None:
    async def first(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.events(2, 3)
        await asyncio.sleep(0.05)
        peer.cut()

    async def second(peer: Peer) -> None:
        await peer.admit()
        join = await peer.resumed(5, 4, 5)
        assert (join["after"], join["epoch"]) == (3, EPOCH)
        await peer.events(5, 6)  # One again.
        peer.cut()

    async def third(peer: Peer) -> None:
        await peer.admit()
        assert (await peer.resumed(8, 7))["after"] == 6
        peer.cut()

    async def fourth(peer: Peer) -> None:
        await peer.admit()
        assert (await peer.resumed(8))["after"] == 8  # Its event was overwritten.
        await peer.events(9)
        await peer.gone()

    async with scripted(first, second, third, fourth) as url, client(url) as hub:
        assert positions(await take(hub.topic(TOPIC), 8)) == [1, 2, 3, 4, 5, 6, 7, 9]


async def test_a_partial_answer_is_followed_by_the_next_part() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1, present={"count": 1, "users": [ALICE]})
        peer.cut()

    async def parts(peer: Peer) -> None:
        await peer.admit()
        assert (await peer.resumed(3, 2, 3, partial=True))["after"] == 1
        assert (await peer.resumed(4, 4, partial=True))["after"] == 3
        assert (await peer.resumed(5, 5, present={"count": 2, "users": [ALICE, BOB]}))["after"] == 4
        await peer.events(6)
        await peer.gone()

    async with scripted(conversation, parts) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        assert positions(await take(room, 4)) == [1, 2, 3, 4]
        assert room.present in ({"count": 1, "users": [ALICE]}, {"count": 2, "users": [ALICE, BOB]})
        assert positions(await take(room, 2)) == [5, 6]
        assert room.present == {"count": 2, "users": [ALICE, BOB]}


async def test_where_a_resume_is_not_possible_a_new_state_says_so() -> None:
    async def first(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(7, "old")
        await peer.events(8)
        peer.cut()

    async def second(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(2, "new", epoch="e2")
        await peer.events(3)
        peer.cut()

    async def third(peer: Peer) -> None:
        await peer.admit()
        join = await peer.resumed(3, epoch="e2")
        assert (join["after"], join["epoch"]) == (3, "e2")
        await peer.events(4)
        await peer.gone()

    async with scripted(first, second, third) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        events = await take(room, 4)
        assert [(event["type"], event["position"]) for event in events] == [
            ("state", 7),
            ("said", 8),
            ("state", 2),
            ("said", 3),
        ]
        assert (events[2]["state"], events[2]["epoch"], room.state) == ("new", "e2", "new")
        assert positions(await take(room, 1)) == [4]
        assert (room.position, room.epoch) == (4, "e2")


async def test_a_program_resumes_from_the_position_that_it_has_kept() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        join = await peer.resumed(11, 10, 11)
        assert (join["after"], join["epoch"]) == (9, "e1")
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        assert await take(hub.topic(TOPIC, after=9, epoch="e1"), 2) == [event(10), event(11)]


async def test_a_state_topic_gives_its_states_and_a_slow_reader_the_newest() -> None:
    has_read, is_back = asyncio.Event(), asyncio.Event()

    def changed(position: int, state: Any, epoch: str = EPOCH) -> Frame:
        return {"type": "changed", "topic": "poll/7", "epoch": epoch, "position": position, "state": state}

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1, "a")
        await has_read.wait()
        for frame in (changed(2, "b"), changed(2, "b again"), changed(4, "c"), changed(3, "late"), changed(5, "d")):
            await peer.send(frame)
        await peer.send(changed(1, "of another epoch", "e2"))
        peer.cut()

    async def back(peer: Peer) -> None:
        await peer.admit()
        join = await peer.resumed(1, epoch="e2")
        assert (join["after"], join["epoch"]) == (1, "e2")
        is_back.set()
        await peer.gone()

    async with scripted(conversation, back) as url, client(url) as hub:
        poll = hub.topic("poll/7")
        assert [event["state"] for event in await take(poll, 1)] == ["a"]
        has_read.set()
        await until(lambda: poll.state == "of another epoch")
        assert [event["state"] for event in await take(poll, 1)] == ["of another epoch"]
        async with asyncio.timeout(SECONDS):
            await is_back.wait()


async def test_a_slow_reader_gets_every_event_and_delays_nothing_else() -> None:
    """Past the buffer nothing is kept, and it is read again from the server when there is room."""

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(0)
        await peer.events(*range(1, 101))
        # Nothing is read now, and commands are answered all the same.
        await peer.answer(await peer.command("vote"), result="counted")
        missing = await peer.command("join")
        assert 10 < missing["after"] < 30
        after = missing["after"]
        await peer.events(101)  # Before the answer it is of the membership before.
        first = [event(number, TOPIC) for number in range(after + 1, 61)]
        await peer.answer(missing, epoch=EPOCH, position=60, complete=True, partial=True, events=first)
        rest = await peer.command("join")
        assert rest["after"] == 60
        events = [event(number, TOPIC) for number in range(61, 102)]
        await peer.answer(rest, epoch=EPOCH, position=101, complete=True, events=events)
        await peer.gone()

    async with scripted(conversation) as url, client(url, buffer_bytes=12_000) as hub:
        room = hub.topic(TOPIC)
        await room.joined()
        await until(lambda: not room.is_joined)
        assert await room.send("vote") == "counted"
        assert positions(await take(room, 102)) == list(range(102))
