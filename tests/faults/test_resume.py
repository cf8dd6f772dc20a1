"""Coming back to a room: from any position, on any process, after any time, while others write; and never too much."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from chaos.checking import check, read_record
from chaos.connecting import Address
from chaos.recording import Recorder
from tests.support.client import Client
from tests.support.cluster import Cluster, until
from tests.support.conversation import talking
from tests.support.missed_changes import LONGEST, change_room, new_room

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

FRESH_ROOMS = 150
JOINING = 8
POSTS = 8
Credentials = dict[str, str]


@pytest.fixture(scope="module")
def returner(cluster: Cluster) -> Credentials:
    return cluster.make_user("returner")


@pytest.fixture
def cookie(returner: Credentials) -> str:
    return returner["cookie"]


@pytest.fixture
def room(cluster: Cluster) -> str:
    return new_room(cluster)


# While messages flow


async def test_a_join_or_resume_while_messages_flow_misses_nothing(on_each_database: Cluster) -> None:
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
        await asyncio.gather(*(newcomer.wait_until_joined() for newcomer in newcomers))
        recoveries = [len(newcomer.log.recoveries) for newcomer in newcomers]
        for recorder in newcomers:
            recorder.cut()
        await until(
            lambda: all(
                len(newcomer.log.recoveries) > before for newcomer, before in zip(newcomers, recoveries, strict=True)
            )
        )
        await talk.say(40)
        await talk.whole()
        record = await asyncio.to_thread(read_record, cluster.database_url, talk.room)
        await asyncio.gather(*(newcomer.wait_for_position(record.position, 10) for newcomer in newcomers))
        report = check(record, [newcomer.log for newcomer in newcomers], are_all_senders=False)
        assert report.is_consistent, str(report)
        assert len(report.recoveries) >= len(newcomers)
        assert any(newcomer.log.view.resumed for newcomer in newcomers)


async def test_members_that_join_an_empty_room_at_once_miss_nothing(cluster: Cluster, cookie: str) -> None:
    """The member with the later state may go live first."""
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
            seen = [message["seq"] for message in (await client.join(room))["messages"]]
            while len(seen) < POSTS:
                event = await client.event("message.posted", 5)
                if event["topic"] == f"room/{room}":
                    seen.append(event["message"]["seq"])
            await client.ask(room, "leave")
            return seen

        async def post_all(room: str) -> None:
            for number in range(POSTS):
                await poster.post(room, str(number))

        for room in rooms:
            everybody = [seen_by(recorder, room, number * 0.002) for number, recorder in enumerate(joining)]
            *seen, _ = await asyncio.gather(*everybody, post_all(room))
            assert seen == [list(range(1, POSTS + 1))] * JOINING


# From where


async def test_every_kind_of_change_arrives_from_another_process(cluster: Cluster, room: str, cookie: str) -> None:
    async with cluster.client(cookie=cookie, process="web-1") as here:
        for number in range(5):
            await here.post(room, f"message {number}")
        start = await here.join(room)
        await here.ask(room, "message.edit", seq=2, body="edited")
        await here.ask(room, "message.delete", seq=4)
        await here.post(room, "new")
    await asyncio.to_thread(change_room, cluster, room, title="Renamed", is_archived=True)
    async with cluster.client(cookie=cookie, process="web-2") as there:
        back = await there.join(room, after=start["position"], epoch=start["epoch"])
        assert (back["complete"], back["position"]) == (True, start["position"] + 4)
        assert back["events"][-1]["changes"] == {
            "title": "Renamed",
            "description": "",
            "private": False,
            "archived": True,
        }
        changed = [(message["seq"], message["body"], message["deleted"]) for message in back["messages"]]
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
        assert [message["seq"] for message in joined["messages"]] == [1, 2, 3]
        # It is a member like all others.
        await here.post(room, "to all")
        assert (await there.event("message.posted"))["position"] == 4


async def test_a_position_that_is_no_integer_is_refused(cluster: Cluster, room: str, cookie: str) -> None:
    async with cluster.client(cookie=cookie, process="web-1") as client:
        for wrong in (1.5, "1", True, [1], {}):
            assert (await client.join(room, after=wrong, epoch="x"))["code"] == "invalid"
        await client.send('{"type": "join", "ref": 1, "topic": "room/%s", "after": 1e400}'.replace("%s", room))
        assert (await client.receive())["code"] == "invalid"


# How much


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
            await asyncio.gather(*(sender.post(LONGEST) for sender in talk.senders))
            is_away = False
            await until(lambda wanted=times: len(slow.log.recoveries) >= wanted, 60)
        await talk.say(10)
        await talk.whole()
        record = await asyncio.to_thread(read_record, cluster.database_url, talk.room)
        await slow.wait_for_position(record.position, 10)
        report = check(record, [slow.log], are_all_senders=False)
        assert report.is_consistent, str(report)
        assert len([frame for _, frame in slow.log.frames if frame.get("partial")]) >= 3
