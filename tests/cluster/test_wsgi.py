"""Pages by WSGI beside sockets by ASGI, with the same settings: what forked workers publish reaches the sockets."""

import asyncio
import json
import os
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, suppress
from typing import NamedTuple

import pytest
from websockets.asyncio.client import connect

from tests.cluster.test_topics import Polls
from tests.support.client import Client, opened
from tests.support.proxy import Proxy
from tests.support.redis_server import OwnRedis
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

SOCKETS = "tests.support.polls.sockets_asgi:application"
PAGES = "tests.support.polls.pages_wsgi:application"
SECONDS = 10.0
ARRIVES_SECONDS = 1.0
NOTES = 40


class Place(NamedTuple):
    """`requests`: how many a test may send; each may need a worker of its own, which takes a second to start."""

    polls: Polls
    pages: Server
    requests: int

    async def post(self, path: str, text: str = "") -> int:
        """Ask for a page that publishes. Returns the id of its process."""

        def ask() -> int:
            data = urllib.parse.urlencode({"text": text}).encode()
            with urllib.request.urlopen(f"{self.pages.url}/{path}", data, timeout=SECONDS) as answer:
                return int(answer.read())

        return await asyncio.to_thread(ask)

    def socket(self, process: int) -> AbstractAsyncContextManager[Client]:
        user = self.polls.users["alice"]
        return opened(self.polls.servers[process].url, "/ws/", token=user["token"])


@pytest.fixture(
    scope="module",
    params=[
        ("hubbub", "gunicorn for pages"),
        ("hubbub", "gunicorn for pages, preloaded"),
        ("daphne", "gunicorn for pages, one request a worker"),
    ],
    ids=lambda kinds: " and ".join(kinds),
)
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("wsgi")
    with OwnRedis(folder / "redis.sock") as redis:
        redis.start()
        with Proxy(redis.path) as proxy:
            settings = {"DJANGO_SETTINGS_MODULE": "tests.support.polls.wsgi_settings"}
            # A name, which a worker that ends at once has to look up. The prefix is in the database.
            site = Site(folder, REDIS_URL=f"redis://localhost:{proxy.port}", HUBBUB_PREFIX="", **settings)
            sockets, pages = request.param
            with site.serving(sockets, 2, SOCKETS) as servers, site.serving(pages, 1, PAGES) as [server]:
                yield Place(Polls(site, servers, redis), server, 8 if "one request" in pages else NOTES)


async def states(page: Client, until: str) -> list[str]:
    """The questions that come, up to this one."""
    questions = []
    while until not in questions:
        questions.append((await page.event("changed", SECONDS))["state"]["question"])
    return questions


async def test_a_row_saved_and_a_change_reach_both_processes_within_a_second(place: Place) -> None:
    address, _ = place.polls.make_poll()
    async with place.socket(0) as one, place.socket(1) as other:
        for page in (one, other):
            await page.request("join", topic=address)
        for way in ("save", "change"):
            began = time.monotonic()
            await place.post(f"{address}/{way}/", way)
            for page in (one, other):
                assert await states(page, way) == [way]
            assert time.monotonic() - began < ARRIVES_SECONDS


async def test_what_two_workers_publish_comes_in_order_and_whole(place: Place) -> None:
    async with place.socket(0) as one, place.socket(1) as other:
        for page in (one, other):
            await page.request("join", topic="board/order")
        workers = set()
        for number in range(0, place.requests, 2):  # Two at a time, so that both workers are busy.
            both = (place.post("board/order/note/", str(text)) for text in (number, number + 1))
            workers |= {*await asyncio.gather(*both)}
        assert len(workers) >= 2
        texts = [[(await page.event("noted", SECONDS))["text"] for _ in range(place.requests)] for page in (one, other)]
    recorded = await asyncio.to_thread(
        place.polls.site.shell,
        """
        from tests.support.polls.models import Note
        print(*Note.objects.filter(board="order").order_by("position").values_list("text", flat=True))
        """,
    )
    assert sorted(map(int, recorded.split())) == [*range(place.requests)]
    assert texts == [recorded.split()] * 2


async def test_nothing_that_is_told_is_lost_with_its_worker(place: Place) -> None:
    """No record repairs it: it must have been sent."""
    async with place.socket(0) as page:
        await page.request("join", topic="board/told")
        for number in range(5):
            await place.post("board/told/tell/", str(number))
        got = {(await page.event("told", SECONDS))["text"] for _ in range(5)}
        assert got == {*map(str, range(5))}


async def test_a_worker_that_is_killed_holds_nothing_up(place: Place) -> None:
    address, _ = place.polls.make_poll()
    async with place.socket(0) as page:
        await page.request("join", topic=address)
        for number in range(4):
            worker = await place.post(f"{address}/save/", f"before {number}")
            await states(page, f"before {number}")
            with suppress(ProcessLookupError):  # It has had its one request.
                os.kill(worker, signal.SIGKILL)
        # Both wait SECONDS at most.
        await place.post(f"{address}/save/", "after")
        await states(page, "after")


async def test_a_page_sends_to_a_group_of_channels(place: Place) -> None:
    async with connect(f"{place.polls.servers[0].url.replace('http', 'ws')}/ws/shout/square/") as socket:
        await place.post("shout/", "Hello")
        async with asyncio.timeout(SECONDS):
            assert json.loads(await socket.recv()) == {"text": "Hello", "user": None}


async def test_the_checks_and_the_logs_have_nothing_to_say(place: Place) -> None:
    assert "no issues" in await asyncio.to_thread(place.polls.site.manage, "check")
    log = place.pages.log.read_text()
    assert "hubbub." not in log
    assert "Traceback" not in log


def test_a_server_of_pages_ends_in_order(place: Place) -> None:
    assert place.pages.stop() == 0
