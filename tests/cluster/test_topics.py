"""Topics on two server processes: pages of one see what is written by way of the other, through a Redis that dies."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.client import Client, Frame, opened
from tests.support.redis_server import OwnRedis
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

APPLICATION = "tests.support.polls.asgi:application"
WHOLE_SECONDS = 5.0
NOTES = 40


class Polls:
    """Two servers, and users who may vote."""

    def __init__(self, site: Site, servers: list[Server], redis: OwnRedis) -> None:
        self.site = site
        self.servers = servers
        self.redis = redis
        self.users = {name: site.make_user(name) for name in ("alice", "bob")}
        self.permit("bob")
        self.permit("alice")
        self._polls = 0

    def permit(self, name: str) -> None:
        self.site.shell(
            f"""
            from django.contrib.auth import get_user_model
            from django.contrib.auth.models import Permission
            user = get_user_model().objects.get(username={name!r})
            user.user_permissions.add(*Permission.objects.filter(codename__in=["view_poll", "add_vote"]))
            """
        )

    def make_poll(self) -> tuple[str, list[int]]:
        """A poll's address and its two options."""
        pk, *options = self.site.shell(
            """
            from tests.support.polls.models import Option, Poll
            poll = Poll.objects.create(question="Tea?")
            print(poll.pk, *(Option.objects.create(poll=poll, text=text).pk for text in ("yes", "no")))
            """
        ).split()
        return f"poll/{pk}", [int(option) for option in options]

    @asynccontextmanager
    async def pages(self) -> AsyncIterator[list[Client]]:
        """Alice on the first process, Bob on the second."""
        async with AsyncExitStack() as stack:
            yield [
                await stack.enter_async_context(
                    opened(server.url, "/ws/", cookie=self.users[name]["cookie"], origin=server.url)
                )
                for server, name in zip(self.servers, ("alice", "bob"), strict=True)
            ]


@contextmanager
def serving_polls(folder: Path, kind: str = "hubbub", count: int = 2, **settings: str) -> Iterator[Polls]:
    with OwnRedis(folder / "redis.sock") as redis:
        redis.start()
        site = Site(folder, **({"DJANGO_SETTINGS_MODULE": "tests.support.settings", "REDIS_URL": redis.url} | settings))
        with site.serving(kind, count, APPLICATION) as servers:
            yield Polls(site, servers, redis)


@pytest.fixture(scope="module")
def polls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Polls]:
    with serving_polls(tmp_path_factory.mktemp("polls")) as polls:
        yield polls


def votes(frame: Frame) -> list[int]:
    return [bar["n"] for bar in frame["state"]["bars"]]


async def events(page: Client, count: int) -> list[Frame]:
    return [await page.event("noted") for _ in range(count)]


async def write_notes(page: Client, board: str, name: str, count: int = NOTES) -> None:
    for number in range(count):
        answer = await page.request("note.add", topic=board, id=f"{name}-{number}", text=f"{name} {number}")
        assert answer["type"] == "ok", answer


async def test_a_vote_on_one_process_reaches_a_page_on_the_other(polls: Polls) -> None:
    address, [yes, no] = polls.make_poll()
    async with polls.pages() as [one, other]:
        for page in (one, other):
            assert votes(await page.request("join", topic=address)) == [0, 0]
        assert (await one.request("vote", topic=address, option=yes))["type"] == "ok"
        changed = await other.event("changed")
        assert (votes(changed), votes(await one.event("changed"))) == ([1, 0], [1, 0])
        assert (await other.request("vote", topic=address, option=no))["type"] == "ok"
        later = await one.event("changed")
        assert votes(later) == [1, 1]
        assert later["position"] > changed["position"]


async def test_a_script_outside_of_both_processes_reaches_both(polls: Polls) -> None:
    address, _ = polls.make_poll()
    async with polls.pages() as pages:
        for page in pages:
            await page.request("join", topic=address)
        polls.site.shell(f"from tests.support.polls.models import Poll\nPoll.objects.get(pk={address[5:]}).save()")
        for page in pages:
            await page.event("changed", 5)


async def test_a_log_with_writers_on_both_processes_is_in_order_and_resumed_from_anywhere(polls: Polls) -> None:
    async with polls.pages() as pages:
        joined = [await page.request("join", topic="board/order") for page in pages]
        assert [answer["position"] for answer in joined] == [0, 0]
        await asyncio.gather(
            *(write_notes(page, "board/order", name) for page, name in zip(pages, ("a", "b"), strict=True))
        )
        seen = [await events(page, 2 * NOTES) for page in pages]
        assert [event["position"] for event in seen[0]] == [*range(1, 2 * NOTES + 1)]
        assert seen[0] == seen[1]
        for name in ("a", "b"):
            own = [event["text"] for event in seen[0] if event["text"].startswith(name)]
            assert own == [f"{name} {number}" for number in range(NOTES)]
        for after in range(0, 2 * NOTES + 1, 9):
            resumed = await pages[after % 2].request("join", topic="board/order", after=after, epoch=joined[0]["epoch"])
            assert (resumed["complete"], resumed["events"]) == (True, seen[0][after:])


async def test_one_id_on_two_processes_at_the_same_instant_has_one_effect(polls: Polls) -> None:
    tabs: list[Client] = []
    async with AsyncExitStack() as stack:
        for server in polls.servers:
            cookie = polls.users["alice"]["cookie"]
            tabs.append(await stack.enter_async_context(opened(server.url, "/ws/", cookie=cookie)))
        for number in range(10):
            answers = await asyncio.gather(
                *(tab.request("note.add", topic="board/once", id=str(number), text="x") for tab in tabs)
            )
            assert [answer["type"] for answer in answers] == ["ok", "ok"]
            assert [answer["result"] for answer in answers] == [{"position": number + 1}] * 2
        joined = await tabs[0].request("join", topic="board/once")
        assert joined["position"] == 10


async def test_redis_is_killed_and_restarted_during_writes_and_pages_are_whole_within_seconds(polls: Polls) -> None:
    address, options = polls.make_poll()

    async def vote_all_along(page: Client, done: asyncio.Event) -> None:
        number = 0
        while not done.is_set():
            assert (await page.request("vote", topic=address, option=options[number % 2]))["type"] == "ok"
            number += 1
            await asyncio.sleep(0.05)
        assert (await page.request("vote", topic=address, option=options[0]))["type"] == "ok"

    async with polls.pages() as readers, polls.pages() as writers, polls.pages() as voters:
        for page in readers:
            await page.request("join", topic="board/redis")
            await page.request("join", topic=address)
        done = asyncio.Event()
        voting = [asyncio.create_task(vote_all_along(page, done)) for page in voters]
        await write_notes(writers[0], "board/redis", "before", 10)
        polls.redis.kill()
        await write_notes(writers[1], "board/redis", "without", 10)
        polls.redis.start()
        await write_notes(writers[0], "board/redis", "after", 10)
        done.set()
        await asyncio.gather(*voting)
        began = time.monotonic()
        expected = [f"{part} {number}" for part in ("before", "without", "after") for number in range(10)]
        for page in readers:
            await expect_whole(page, expected, [2, 0], began + WHOLE_SECONDS)


async def expect_whole(page: Client, texts: list[str], bars: list[int], deadline: float) -> None:
    """Read until all notes and the newest state have come, each note once and in order."""
    got: list[str] = []
    state: list[int] = []
    while got != texts or state != bars:
        frame: dict[str, Any] = await page.receive(max(0.01, deadline - time.monotonic()))
        if frame["type"] == "noted":
            got.append(frame["text"])
            assert got == texts[: len(got)]
        elif frame["type"] == "changed":
            state = votes(frame)


async def test_access_that_is_lost_on_one_process_closes_the_topic_on_the_other(polls: Polls) -> None:
    address, [yes, _] = polls.make_poll()
    async with polls.pages() as [one, other]:
        for page in (one, other):
            await page.request("join", topic=address)
        polls.site.shell(
            """
            from django.contrib.auth import get_user_model
            get_user_model().objects.get(username="bob").user_permissions.clear()
            """
        )
        assert await other.event("closed", 5) == {"type": "closed", "topic": address, "code": "forbidden"}
        assert (await other.request("vote", topic=address, option=yes))["code"] == "forbidden"
        assert (await one.request("vote", topic=address, option=yes))["type"] == "ok"
        polls.site.shell(
            f"""
            from tests.support.polls.models import Poll
            from tests.support.polls.topics import PollTopic
            Poll.objects.filter(pk={address[5:]}).update(is_open=False)
            PollTopic({address[5:]}).access_changed()
            """
        )
        assert (await one.event("closed", 5))["code"] == "not_found"
        assert (await other.request("join", topic=address))["code"] == "forbidden"
    polls.permit("bob")


async def test_a_command_of_a_process_that_was_killed_is_answered_by_another(polls: Polls) -> None:
    """Its effect was committed, and its answer may be lost with the process."""
    cookie = polls.users["alice"]["cookie"]
    async with polls.pages() as [page, _]:
        joined = await page.request("join", topic="board/killed")
        mortal = Server(polls.site, "hubbub", "web-3", APPLICATION)
        try:
            mortal.wait_until_ready()
            async with opened(mortal.url, "/ws/", cookie=cookie) as tab:
                note = {"type": "note.add", "ref": 1, "topic": "board/killed", "id": "a", "text": "once"}
                await tab.send(note)
                seen = await page.event("noted")
                mortal.process.kill()
                await tab.closed()
        finally:
            mortal.process.kill()
            mortal.process.wait()
        answer = await page.request("note.add", topic="board/killed", id="a", text="once")
        assert answer["result"] == {"position": seen["position"]}
        again = await page.request("join", topic="board/killed", after=0, epoch=joined["epoch"])
        assert [event["text"] for event in again["events"]] == ["once"]
