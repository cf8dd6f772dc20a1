"""Resume after many missed changes: parts, sizes, memory, and the order of events."""

import asyncio
import json

import psutil
import pytest

from tests.support.client import Frame
from tests.support.cluster import Cluster
from tests.support.missed_changes import FRAME_BYTES, LONGEST, fill, measured, new_room

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(180)]

PARTS = 20
OUTBOX_BYTES = 1024 * 1024
GROWTH_BYTES = 40 * 1024 * 1024  # Of a process that is asked for far more than that in all.


@pytest.fixture
def cookie(cluster: Cluster) -> str:
    return cluster.make_user("returner")["cookie"]


@pytest.fixture
def room(cluster: Cluster) -> str:
    return new_room(cluster)


async def test_a_resume_has_at_most_300_changes_one_by_one(cluster: Cluster, room: str, cookie: str) -> None:
    await asyncio.to_thread(fill, cluster, room, 301, "short")
    async with cluster.client(cookie=cookie, process="web-1") as client:
        epoch = (await client.join(room))["epoch"]
        positions: list[int] = []
        part: Frame = {"partial": True, "position": 1}
        while part["partial"]:
            part = await client.join(room, after=part["position"], epoch=epoch)
            assert part["complete"]
            positions += [message["seq"] for message in part["messages"]]
        assert positions == list(range(2, 302))
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
        page, _ = await measured(client, room, "join")
        fitting = len(page["messages"])
        assert fitting >= 1
        first = 0
        # Each position is another page to read.
        for after in [*range(0, 2000, 50), *range(1980, 2000)]:
            joined, size = await measured(client, room, "join", after=after, epoch=epoch)
            assert size <= FRAME_BYTES
            assert joined["complete"] or joined["more"]
            seqs = [message["seq"] for message in joined["messages"]]
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
        # Older messages come page by page, without a hole.
        for _ in range(5):
            page, size = await measured(client, room, "history", before=first, limit=100)
            assert size <= FRAME_BYTES
            assert page["messages"][-1]["seq"] == first - 1
            first = page["messages"][0]["seq"]


async def test_a_resume_past_twenty_parts_starts_from_the_latest_page(cluster: Cluster, room: str, cookie: str) -> None:
    await asyncio.to_thread(fill, cluster, room, 60, LONGEST)
    async with (
        cluster.client(cookie=cookie, process="web-1") as client,
        cluster.client(cookie=cookie, process="web-1") as other,
    ):
        epoch = (await client.join(room))["epoch"]
        for _ in range(2):  # The parts are counted anew after that.
            after = 0
            for _ in range(PARTS):
                part, size = await measured(client, room, "join", after=after, epoch=epoch)
                assert size <= FRAME_BYTES
                assert (part["complete"], part["partial"], "present" in part) == (True, True, False)
                assert after < part["position"] < 60
                after = part["position"]
            last = await client.join(room, after=after, epoch=epoch)
            assert (last["complete"], last["partial"], last["position"]) == (False, False, 60)
        # Another socket's parts are its own.
        assert (await other.join(room, after=0, epoch=epoch))["partial"]


async def test_a_socket_is_sent_no_event_between_two_parts_and_all_after_the_last(
    cluster: Cluster, room: str, cookie: str
) -> None:
    """A socket that is in the room already gets no events between two parts either."""
    await asyncio.to_thread(fill, cluster, room, 6, LONGEST)
    async with (
        cluster.client(cookie=cookie, process="web-1") as client,
        cluster.client(cookie=cookie, process="web-1") as witness,
        cluster.client(cookie=cookie, process="web-2") as poster,
    ):
        epoch = (await client.join(room))["epoch"]
        await witness.join(room)
        received: list[int] = []
        answer: Frame = {"partial": True, "position": 0}
        while answer["partial"]:
            answer = await client.join(room, after=answer["position"], epoch=epoch)
            received += [message["seq"] for message in answer["messages"]]
            if answer["partial"] and answer["position"] < 5:
                posted = await poster.post(room, LONGEST)
                while (await witness.event("message.posted"))["position"] < posted["position"]:
                    pass
                assert (await client.request("ping"))["type"] == "pong"
                assert [frame for frame in client.unread if "position" in frame] == []
        assert received == list(range(1, answer["position"] + 1))
        await poster.post(room, "live again")
        event = await client.event("message.posted")
        assert event["position"] == answer["position"] + 1


async def test_a_bulk_of_missed_messages_is_repaired_without_closing_readers(
    cluster: Cluster, room: str, cookie: str
) -> None:
    """Several times the size of an outbox, all unpublished."""
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
