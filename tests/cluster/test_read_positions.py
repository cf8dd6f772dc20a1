"""Read positions on two server processes: all pages of a person agree, through lost Redis and killed processes."""

import asyncio
import os
import random
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import Client, Frame
from tests.support.cluster import Cluster

pytestmark = pytest.mark.cluster

WHOLE_SECONDS = 15.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("reading"), processes=2) as cluster:
        yield cluster


class Tab:
    """A page of one person: its own states by the topic, as a client keeps them."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.address = f"person/{client.hello['user']['id']}"
        self.rooms: dict[str, Frame] = {}
        self.position = 0
        self.epoch = ""

    async def join(self, **resume: Any) -> Frame:
        answer = await self.client.request("join", topic=self.address, **resume)
        assert answer["type"] == "ok", answer
        self.epoch, self.position = answer["epoch"], answer["position"]
        if not answer["complete"]:
            self.rooms = answer["state"]["rooms"]
        for event in answer.get("events", ()):
            self._apply(event)
        return answer

    async def told(self, **expected: Any) -> Frame:
        """The next event whose fields are these; 0 and false are left out."""
        while True:
            event = await self.client.event("person.room")
            self._apply(event)
            self.position = event["position"]
            if all(event.get(name, 0) == value for name, value in expected.items()):
                return event

    def _apply(self, event: Frame) -> None:
        self.rooms[event["room"]] = {
            name: value for name, value in event.items() if name not in ("type", "topic", "position", "room")
        }


def make_room(cluster: Cluster, **options: Any) -> str:
    slug = f"room-{uuid4().hex[:12]}"
    cluster.shell(f"from chat import services; services.create_room(slug={slug!r}, title='Test', **{options!r})")
    return slug


@asynccontextmanager
async def pages(cluster: Cluster, name: str) -> AsyncIterator[list[Tab]]:
    """A page of the person on each process."""
    cookie = cluster.make_user(name)["cookie"]
    async with AsyncExitStack() as stack:
        tabs = []
        for process in ("web-1", "web-2"):
            client = await stack.enter_async_context(cluster.client(cookie=cookie, process=process))
            tabs.append(Tab(client))
        yield tabs


async def test_reading_on_one_process_is_told_to_the_page_on_the_other(cluster: Cluster) -> None:
    slug = make_room(cluster)
    bob = cluster.make_user("bob")["cookie"]
    async with pages(cluster, "reader") as [one, other], cluster.client(cookie=bob, process="web-1") as poster:
        joined = await one.client.join(slug)
        told = {"role": "member", "manages": False, "body_chars": 4000, "read_seq": 0, "read_version": 0}
        assert joined["viewer"] == told
        await other.join()
        for _ in range(3):
            await poster.post(slug, "Tea")
        answer = await one.client.ask(slug, "room.read", seq=2, version=0)
        assert answer["result"] == {"seq": 2, "version": 0}
        await other.told(room=slug, read_seq=2)
        # A late report of the other page does not undo the mark, and one beyond the end stops there.
        assert (await one.client.ask(slug, "room.unread", seq=1))["result"] == {"seq": 0, "version": 1}
        assert (await other.client.ask(slug, "room.read", seq=3, version=0))["result"] == {"seq": 0, "version": 1}
        await other.told(room=slug, read_seq=0, read_version=1)
        assert (await other.client.ask(slug, "room.read", seq=99, version=1))["result"] == {"seq": 3, "version": 1}
        assert (await one.client.ask(slug, "room.read", seq=1, version=1))["result"] == {"seq": 3, "version": 1}
        await other.client.ask(slug, "room.favourite", on=True)
        await other.told(room=slug, read_seq=3, favourite=True)
        await one.client.post(slug, "Mine")
        await other.told(room=slug, read_seq=4)


async def test_a_page_that_was_away_resumes(cluster: Cluster) -> None:
    slug = make_room(cluster)
    async with pages(cluster, "resumer") as [one, other]:
        await one.client.join(slug)
        await other.join()
        if slug not in other.rooms:
            await other.told(room=slug)
        after, epoch = other.position, other.epoch
        await one.client.ask(slug, "room.mute", on=True)
        await other.told(room=slug, muted=True)
        answer = await one.client.request("join", topic=one.address, after=after, epoch=epoch)
        assert answer["complete"] is True
        assert [(event["room"], event["muted"]) for event in answer["events"]] == [(slug, True)]


async def test_a_lost_room_is_not_found_and_not_told(cluster: Cluster) -> None:
    slug = make_room(cluster, is_private=True)
    async with pages(cluster, "guest") as [one, other]:
        member = f"from chat import services; from chat.models import Room; pk = Room.objects.get(slug={slug!r}).pk\n"
        user = one.client.hello["user"]["id"]
        cluster.shell(f"{member}services.set_membership(room_id=pk, user_id={user!r})")
        await one.client.join(slug)
        await other.join()
        await one.client.ask(slug, "room.favourite", on=True)
        await other.told(room=slug, favourite=True)
        cluster.shell(f"{member}services.remove_membership(room_id=pk, user_id={user!r})")
        for command, fields in {
            "room.read": {"seq": 1, "version": 0},
            "room.unread": {"seq": 1},
            "room.mute": {"on": True},
            "room.favourite": {"on": False},
        }.items():
            answer = await other.client.ask(slug, command, **fields)
            assert (answer["type"], answer["code"]) == ("error", "not_found"), command
        await other.join()
        assert slug not in other.rooms
        cluster.shell(f"{member}services.set_membership(room_id=pk, user_id={user!r})")
        await other.told(room=slug, favourite=True)


async def test_bad_reports_are_refused(cluster: Cluster) -> None:
    slug = make_room(cluster)
    async with pages(cluster, "liar") as [one, _]:
        for fields in ({"seq": -1, "version": 0}, {"seq": 2**63, "version": 0}, {"seq": 1}, {"seq": "1", "version": 0}):
            answer = await one.client.ask(slug, "room.read", **fields)
            assert (answer["type"], answer["code"]) == ("error", "invalid"), fields
        assert (await one.client.request("join", topic="person/999999"))["code"] == "not_found"


def stored(cluster: Cluster, name: str, slug: str) -> tuple[int, int]:
    seq, version = cluster.shell(
        f"""
        from chat.models import PersonalState
        row = PersonalState.objects.get(user__username={name!r}, room__slug={slug!r})
        print(row.read_seq, row.read_version)
        """
    ).split()
    return int(seq), int(version)


async def test_two_tabs_that_read_and_mark_unread_at_once_agree(cluster: Cluster) -> None:
    slug = make_room(cluster)
    async with pages(cluster, "racer") as [one, other]:
        await one.client.join(slug)
        await asyncio.gather(one.join(), other.join())
        for number in range(10):
            await one.client.post(slug, str(number))
        await asyncio.gather(race(one, slug, 1), race(other, slug, 2))
        seq, version = stored(cluster, "racer", slug)
        assert version > 0
        for tab in (one, other):
            mine = tab.rooms.get(slug, {})
            if (mine.get("read_seq", 0), mine.get("read_version", 0)) != (seq, version):
                await tab.told(room=slug, read_seq=seq, read_version=version)


async def race(tab: Tab, slug: str, seed: int) -> None:
    chance, version = random.Random(seed), 0
    for _ in range(30):
        command, fields = chance.choice([("room.read", {"version": version}), ("room.unread", {})])
        answer = await tab.client.ask(slug, command, seq=chance.randint(1, 12), **fields)
        version = answer["result"]["version"]


async def test_a_killed_process_loses_no_own_post(cluster: Cluster) -> None:
    """The change of the killed process is told by the other one."""
    slug = make_room(cluster)
    cookie = cluster.make_user("victim")["cookie"]
    async with cluster.client(cookie=cookie, process="web-2") as client:
        tab = Tab(client)
        await tab.join()
        async with cluster.client(cookie=cookie, process="web-1") as poster:
            await poster.join(slug)
            await tab.told(room=slug)
            pid = cluster.pid_of("web-1")
            assert pid is not None
            await poster.post(slug, "first")
            await poster.post(slug, "second")
            os.kill(pid, signal.SIGKILL)
        if tab.rooms[slug].get("read_seq", 0) != 2:
            async with asyncio.timeout(WHOLE_SECONDS):
                await tab.told(room=slug, read_seq=2)
    assert stored(cluster, "victim", slug) == (2, 0)
