"""Coming back to a room: from any position, on any process, after any time, while others write; and never too much."""

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import psutil
import pytest

from chaos.checking import check, read_record
from chaos.connecting import Address
from chaos.recording import Recorder
from tests.support.client import Client, Frame
from tests.support.cluster import Cluster, until
from tests.support.conversation import talking

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

FRAME_BYTES = 32 * 1024  # An answer that holds messages; one message alone is smaller.
PARTS = 20
OUTBOX_BYTES = 1024 * 1024
GROWTH_BYTES = 40 * 1024 * 1024  # Of a process that is asked for far more than that in all.
LONGEST = "\U0001f642" * 4000  # Four bytes a character.
FRESH_ROOMS = 150
JOINING = 8
POSTS = 8
NOWHERE = "unix:///nonexistent/redis.sock"


Credentials = dict[str, str]


@pytest.fixture(scope="module")
def returner(cluster: Cluster) -> Credentials:
    return cluster.make_user("returner")


@pytest.fixture
def cookie(returner: Credentials) -> str:
    return returner["cookie"]


@pytest.fixture
def room(cluster: Cluster) -> str:
    slug = f"room-{uuid4().hex[:12]}"
    return cluster.shell(f"from chat import services; print(services.create_room(slug={slug!r}, title='Test').slug)")


# While messages flow


async def test_who_joins_or_comes_back_while_messages_flow_misses_nothing(on_each_database: Cluster) -> None:
    cluster = on_each_database
    returner = await asyncio.to_thread(cluster.make_user, "returner")
    async with talking(cluster) as talk, AsyncExitStack() as stack:
        await talk.say(20)
        newcomers: list[Recorder] = []
        for number in range(12):
            process = f"web-{1 + number % 2}"
            newcomer = Recorder(f"newcomer-{number}", talk.room, cluster.addresses_of(process), token=returner["token"])
            newcomers.append(await stack.enter_async_context(newcomer))
            for earlier in newcomers[-4:-1]:
                earlier.cut()
            await asyncio.sleep(0.15)
        # However fast that was, each comes back once at least.
        await asyncio.gather(*(one.wait_until_joined() for one in newcomers))
        had = [len(one.log.recoveries) for one in newcomers]
        for one in newcomers:
            one.cut()
        await until(lambda: all(len(one.log.recoveries) > before for one, before in zip(newcomers, had, strict=True)))
        await talk.say(40)
        await talk.whole()
        record = await asyncio.to_thread(read_record, cluster.database_url, talk.room)
        await asyncio.gather(*(one.wait_for_position(record.position, 10) for one in newcomers))
        report = check(record, [one.log for one in newcomers], are_all_senders=False)
        assert report.is_consistent, str(report)
        assert len(report.recoveries) >= len(newcomers)
        assert any(one.log.view.resumed for one in newcomers)


async def test_those_who_join_a_room_at_once_that_nobody_was_in_miss_nothing(cluster: Cluster, cookie: str) -> None:
    """Whoever has read the later state may be the first who is live."""
    rooms = cluster.shell(
        f"""
        from uuid import uuid4
        from chat import services
        for _ in range({FRESH_ROOMS}):
            print(services.create_room(slug=f"fresh-{{uuid4().hex[:12]}}", title="Test").slug)
        """
    ).split()
    async with AsyncExitStack() as stack:
        poster = await stack.enter_async_context(cluster.client(cookie=cookie, process="web-2"))
        joining = [
            await stack.enter_async_context(cluster.client(cookie=cookie, process="web-1")) for _ in range(JOINING)
        ]

        async def seen_by(client: Client, room: str, delay: float) -> list[int]:
            await asyncio.sleep(delay)
            seen = [one["seq"] for one in (await client.join(room))["messages"]]
            while len(seen) < POSTS:
                event = await client.event("message.posted", 5)
                if event["room"] == room:
                    seen.append(event["message"]["seq"])
            await client.request("room.leave", room=room)
            return seen

        async def post_all(room: str) -> None:
            for number in range(POSTS):
                await poster.post(room, str(number))

        for room in rooms:
            everybody = [seen_by(one, room, number * 0.002) for number, one in enumerate(joining)]
            *seen, _ = await asyncio.gather(*everybody, post_all(room))
            assert seen == [list(range(1, POSTS + 1))] * JOINING


# From where


async def test_every_kind_of_change_is_told_on_another_process(cluster: Cluster, room: str, cookie: str) -> None:
    async with cluster.client(cookie=cookie, process="web-1") as here:
        for number in range(5):
            await here.post(room, f"message {number}")
        had = await here.join(room)
        await here.request("message.edit", room=room, seq=2, body="edited")
        await here.request("message.delete", room=room, seq=4)
        await here.post(room, "new")
    await asyncio.to_thread(change_room, cluster, room, title="Renamed", is_archived=True)
    async with cluster.client(cookie=cookie, process="web-2") as there:
        back = await there.join(room, after=had["position"], epoch=had["epoch"])
        assert (back["complete"], back["position"]) == (True, had["position"] + 4)
        assert (back["room"]["title"], back["room"]["archived"]) == ("Renamed", True)
        changed = [(one["seq"], one["body"], one["deleted"]) for one in back["messages"]]
        assert changed == [(2, "edited", False), (4, "", True), (6, "new", False)]
        assert back["messages"][0]["edited_at"]
        again = await there.join(room, after=back["position"], epoch=back["epoch"])
        assert (again["complete"], again["messages"]) == (True, [])


@pytest.mark.parametrize(
    ("after", "epoch"),
    [
        (4, None),  # One past the last.
        (2**53, None),
        (2**63, None),
        (10**40, None),
        (-1, None),
        (-(2**63) - 1, None),
        (1, "another epoch"),
        (1, ""),
        (1, "left out"),
        (None, None),
    ],
)
async def test_a_position_that_means_nothing_starts_from_the_latest_page(
    cluster: Cluster, room: str, cookie: str, after: int | None, epoch: str | None
) -> None:
    async with (
        cluster.client(cookie=cookie, process="web-1") as here,
        cluster.client(cookie=cookie, process="web-2") as there,
    ):
        for number in range(3):
            await here.post(room, f"message {number}")
        fields = {} if after is None else {"after": after}
        if epoch != "left out":
            fields["epoch"] = (await here.join(room))["epoch"] if epoch is None else epoch
        joined = await there.join(room, **fields)
        assert (joined["type"], joined["complete"], joined["position"], joined["more"]) == ("ok", False, 3, False)
        assert [one["seq"] for one in joined["messages"]] == [1, 2, 3]
        # It is in the room like everybody else, whatever it asked for.
        await here.post(room, "to all")
        assert (await there.event("message.posted"))["position"] == 4


async def test_a_position_that_is_no_integer_is_refused(cluster: Cluster, room: str, cookie: str) -> None:
    async with cluster.client(cookie=cookie, process="web-1") as client:
        for wrong in (1.5, "1", True, [1], {}):
            assert (await client.join(room, after=wrong, epoch="x"))["code"] == "invalid"
        await client.send('{"type": "room.join", "ref": 1, "room": "%s", "after": 1e400}'.replace("%s", room))
        assert (await client.receive())["code"] == "invalid"


# How much


async def test_as_many_changes_as_may_be_told_one_by_one_are_and_one_more_is_not(
    cluster: Cluster, room: str, cookie: str
) -> None:
    await asyncio.to_thread(fill, cluster, room, 301, "short")
    async with cluster.client(cookie=cookie, process="web-1") as client:
        epoch = (await client.join(room))["epoch"]
        told: list[int] = []
        part: Frame = {"partial": True, "position": 1}
        while part["partial"]:
            part = await client.join(room, after=part["position"], epoch=epoch)
            assert part["complete"]
            told += [one["seq"] for one in part["messages"]]
        assert told == list(range(2, 302))
        afresh = await client.join(room, after=0, epoch=epoch)
        assert (afresh["complete"], len(afresh["messages"]), afresh["more"]) == (False, 50, True)


async def test_coming_back_after_thousands_of_the_longest_messages_is_bounded(
    cluster: Cluster, room: str, cookie: str
) -> None:
    await asyncio.to_thread(fill, cluster, room, 2000, LONGEST)
    async with cluster.client(cookie=cookie, process="web-1") as client:
        epoch = (await client.join(room))["epoch"]
        server = psutil.Process(cluster.pid_of("web-1"))
        memory = server.memory_info().rss
        page, _ = await measured(client, "room.join", room=room)
        fitting = len(page["messages"])
        assert fitting >= 1
        first = 0
        # Each position is another page to read.
        for after in [*range(0, 2000, 50), *range(1980, 2000)]:
            joined, size = await measured(client, "room.join", room=room, after=after, epoch=epoch)
            assert size <= FRAME_BYTES
            assert joined["more"]
            seqs = [one["seq"] for one in joined["messages"]]
            if joined["partial"]:
                assert 2000 - 300 <= after < 2000 - fitting
                assert (joined["complete"], joined["position"]) == (True, seqs[-1])
                assert seqs == list(range(after + 1, after + 1 + len(seqs)))
            else:
                afresh = after < 2000 - fitting
                assert joined["complete"] != afresh
                assert seqs == list(range(2001 - fitting if afresh else after + 1, 2001))
                first = seqs[0] if afresh else first
        assert server.memory_info().rss - memory < GROWTH_BYTES
        # What is older is had page by page, without a hole.
        for _ in range(5):
            page, size = await measured(client, "room.history", room=room, before=first, limit=100)
            assert size <= FRAME_BYTES
            assert page["messages"][-1]["seq"] == first - 1
            first = page["messages"][0]["seq"]


async def test_who_is_not_level_after_twenty_parts_starts_from_the_latest_page(
    cluster: Cluster, room: str, cookie: str
) -> None:
    await asyncio.to_thread(fill, cluster, room, 60, LONGEST)
    async with (
        cluster.client(cookie=cookie, process="web-1") as client,
        cluster.client(cookie=cookie, process="web-1") as other,
    ):
        epoch = (await client.join(room))["epoch"]
        for _ in range(2):  # The parts are counted anew after that.
            after = 0
            for _ in range(PARTS):
                part, size = await measured(client, "room.join", room=room, after=after, epoch=epoch)
                assert size <= FRAME_BYTES
                assert (part["complete"], part["partial"], part["present"]) == (True, True, None)
                assert after < part["position"] < 60
                after = part["position"]
            last = await client.join(room, after=after, epoch=epoch)
            assert (last["complete"], last["partial"], last["position"]) == (False, False, 60)
        # Another socket's parts are its own.
        assert (await other.join(room, after=0, epoch=epoch))["partial"]


async def test_a_socket_is_sent_no_event_between_two_parts_and_all_after_the_last(
    cluster: Cluster, room: str, cookie: str
) -> None:
    """Also one that was in the room when it asked: what came then would be beyond what it has been told."""
    await asyncio.to_thread(fill, cluster, room, 6, LONGEST)
    async with (
        cluster.client(cookie=cookie, process="web-1") as client,
        cluster.client(cookie=cookie, process="web-1") as witness,
        cluster.client(cookie=cookie, process="web-2") as poster,
    ):
        epoch = (await client.join(room))["epoch"]
        await witness.join(room)
        had: list[int] = []
        answer: Frame = {"partial": True, "position": 0}
        while answer["partial"]:
            answer = await client.join(room, after=answer["position"], epoch=epoch)
            had += [one["seq"] for one in answer["messages"]]
            if answer["partial"] and answer["position"] < 5:
                posted = await poster.post(room, LONGEST)
                while (await witness.event("message.posted"))["position"] < posted["position"]:
                    pass
                assert (await client.request("ping"))["type"] == "pong"
                assert [one for one in client.kept if "position" in one] == []
        assert had == list(range(1, answer["position"] + 1))
        await poster.post(room, "live again")
        event = await client.event("message.posted")
        assert event["position"] == answer["position"] + 1


async def test_a_recording_client_resumes_in_parts_while_others_write(cluster: Cluster, returner: Credentials) -> None:
    there = cluster.addresses_of("web-2")
    is_away = False
    nowhere = [Address("http://127.0.0.1:1")]
    async with talking(cluster) as talk, AsyncExitStack() as stack:
        slow = Recorder("slow", talk.room, lambda: nowhere if is_away else there(), token=returner["token"])
        await stack.enter_async_context(slow)
        await slow.wait_until_joined()
        for times in range(1, 4):
            is_away = True
            slow.cut()
            await asyncio.gather(*(one.post(LONGEST) for one in talk.senders))
            is_away = False
            await until(lambda wanted=times: len(slow.log.recoveries) >= wanted, 60)
        await talk.say(10)
        await talk.whole()
        record = await asyncio.to_thread(read_record, cluster.database_url, talk.room)
        await slow.wait_for_position(record.position, 10)
        report = check(record, [slow.log], are_all_senders=False)
        assert report.is_consistent, str(report)
        assert len([one for _, one in slow.log.frames if one.get("partial")]) >= 3


async def test_what_was_missed_in_bulk_is_repaired_without_closing_who_reads(
    cluster: Cluster, room: str, cookie: str
) -> None:
    """Several times of what an outbox holds, none of it published."""
    async with cluster.client(cookie=cookie, process="web-2") as client:
        await client.join(room)
        await asyncio.to_thread(fill, cluster, room, 300, LONGEST)
        position = 0
        while position < 300:
            await asyncio.sleep(0.005)  # It reads steadily, and slower than a server can write.
            async with asyncio.timeout(15):
                text = await client.socket.recv()
            event = json.loads(text)
            if "position" in event:  # Not: who comes and goes.
                position += 1
                assert (event["type"], event["position"]) == ("message.posted", position)
                assert event["message"]["body"] == LONGEST
        assert (await client.request("ping"))["type"] == "pong"
    assert 300 * len(LONGEST.encode()) > 4 * OUTBOX_BYTES


def fill(cluster: Cluster, room: str, count: int, body: str) -> None:
    """Post so many messages in few transactions, from a process that cannot publish."""
    env, cluster.env = cluster.env, cluster.env | {"REDIS_URL": NOWHERE}
    try:
        cluster.shell(
            f"""
            from uuid import uuid4
            from django.contrib.auth import get_user_model
            from chat.posting import Post, post_messages
            user = get_user_model().objects.get(username="returner").pk
            for first in range(0, {count}, 100):
                number = min(100, {count} - first)
                post_messages([Post(user, {room!r}, uuid4(), {body!r}) for _ in range(number)])
            """
        )
    finally:
        cluster.env = env


def change_room(cluster: Cluster, room: str, **changes: Any) -> None:
    cluster.shell(
        f"""
        from chat import services
        from chat.models import Room
        services.change_room(room_id=Room.objects.get(slug={room!r}).pk, **{changes!r})
        """
    )


async def measured(client: Client, command: str, **fields: Any) -> tuple[Frame, int]:
    """The answer, and the bytes of its frame."""
    await client.send({"type": command, "ref": "measured", **fields})
    while True:
        async with asyncio.timeout(10):
            text = await client.socket.recv()
        if (frame := json.loads(text)).get("ref") == "measured":
            return frame, len(text.encode())
