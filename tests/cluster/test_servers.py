"""The poll on each ASGI server that docs/servers.md names, two processes of each."""

import asyncio
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from websockets.exceptions import InvalidStatus

from tests.cluster.test_topics import APPLICATION, Polls, serving_polls, votes
from tests.support.client import Client, opened
from tests.support.servers import Server

pytestmark = pytest.mark.cluster

AUTH_SECONDS = 2
SECONDS = 10.0
DRAIN_SECONDS = 20.0


class Expected(NamedTuple):
    """What a client gets from a server when it ends, and for a frame that is too big."""

    sigterm: tuple[int, str]
    exit_code: int
    too_big: int = 1009
    has_reasons: bool = True


KINDS = {
    "hubbub": Expected((1012, "Restart"), 0),
    "daphne": Expected((1006, ""), 0, too_big=4008, has_reasons=False),
    "uvicorn": Expected((1012, ""), -15),
    "gunicorn": Expected((1012, ""), 0),
    "hypercorn": Expected((1011, ""), 0),
    "granian": Expected((1006, ""), 0),
}


class Place(NamedTuple):
    kind: str
    polls: Polls

    def token_page(self, process: int, name: str = "alice") -> AbstractAsyncContextManager[Client]:
        return opened(self.polls.servers[process].url, "/ws/", token=self.polls.users[name]["token"])

    def cookie_page(self, process: int, name: str = "bob") -> AbstractAsyncContextManager[Client]:
        return opened(self.polls.servers[process].url, "/ws/", cookie=self.polls.users[name]["cookie"])


@pytest.fixture(scope="module", params=[*KINDS])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    more = {"HUBBUB_AUTH_SECONDS": str(AUTH_SECONDS), "HUBBUB_PRESENCE_GRACE_SECONDS": "0"}
    with serving_polls(tmp_path_factory.mktemp(request.param), request.param, **more) as polls:
        yield Place(request.param, polls)


async def test_a_vote_by_token_and_one_by_cookie_reach_both_processes(place: Place) -> None:
    address, [yes, no] = place.polls.make_poll()
    async with place.token_page(0) as one, place.cookie_page(1) as other:
        for page in (one, other):
            assert votes(await page.request("join", topic=address)) == [0, 0]
        assert (await one.request("vote", topic=address, option=yes))["type"] == "ok"
        assert votes(await other.event("changed", SECONDS)) == [1, 0]
        assert votes(await one.event("changed", SECONDS)) == [1, 0]
        assert (await other.request("vote", topic=address, option=no))["type"] == "ok"
        for page in (one, other):
            assert votes(await page.event("changed", SECONDS)) == [1, 1]
        for page in (one, other):
            assert (await page.request("ping"))["type"] == "pong"
            async with asyncio.timeout(SECONDS):
                await (await page.socket.ping())


async def test_a_wrong_token_and_a_missing_one_are_refused_with_their_codes(place: Place) -> None:
    url = place.polls.servers[0].url
    async with opened(url, "/ws/", wait_for_hello=False) as silent, opened(url, "/ws/", wait_for_hello=False) as wrong:
        for client in (silent, wrong):
            await client.event("auth.required")
        await wrong.send({"type": "auth", "token": "hub_" + "x" * 43})
        has_reasons = KINDS[place.kind].has_reasons
        assert await wrong.closed(SECONDS) == (4001, "Unauthorized" if has_reasons else "")
        assert wrong.unread[-1]["code"] == "unauthorized"
        assert await silent.closed(AUTH_SECONDS + SECONDS) == (4002, "Auth timeout" if has_reasons else "")


async def test_a_page_of_another_site_is_refused_before_the_socket_is_open(place: Place) -> None:
    cookie = place.polls.users["bob"]["cookie"]
    with pytest.raises(InvalidStatus) as refused:
        async with opened(place.polls.servers[0].url, "/ws/", cookie=cookie, origin="http://evil.example"):
            pass
    assert refused.value.response.status_code == 403


async def test_a_frame_that_is_too_big_closes_its_socket(place: Place) -> None:
    async with place.cookie_page(0) as page:
        await page.send("x" * 200_000)
        assert (await page.closed(SECONDS))[0] == KINDS[place.kind].too_big


async def test_presence_on_the_other_process_ends_with_the_socket_closed_or_cut(place: Place) -> None:
    async with place.token_page(0) as stays:
        await stays.request("join", topic="board/present")
        for is_clean in (True, False):
            async with place.cookie_page(1) as leaves:
                await leaves.request("join", topic="board/present")
                await see(stays, "joined", "bob")
                if not is_clean:
                    leaves.socket.transport.abort()
            await see(stays, "left", "bob")


async def see(page: Client, change: str, name: str) -> None:
    """Read changes of presence until this user has joined or left."""
    while name not in [user["name"] for user in (await page.event("presence.changed", SECONDS))[change]]:
        pass


async def test_sigterm_closes_sockets_and_pages_go_on_with_the_other_process(place: Place) -> None:
    address, [yes, _] = place.polls.make_poll()
    expected = KINDS[place.kind]
    mortal = Server(place.polls.site, place.kind, "web-3", APPLICATION)
    try:
        await asyncio.to_thread(mortal.wait_until_ready)
        cookie = place.polls.users["bob"]["cookie"]
        async with place.token_page(0) as stays, opened(mortal.url, "/ws/", cookie=cookie) as page:
            for client in (stays, page):
                await client.request("join", topic=address)
            assert (await page.request("vote", topic=address, option=yes))["type"] == "ok"
            mortal.process.terminate()
            assert await page.closed(DRAIN_SECONDS) == expected.sigterm
            assert votes(await stays.event("changed", SECONDS)) == [1, 0]
            async with place.cookie_page(1) as again:
                assert votes(await again.request("join", topic=address)) == [1, 0]
        assert await asyncio.to_thread(mortal.process.wait, DRAIN_SECONDS) == expected.exit_code
    finally:
        if mortal.process.poll() is None:
            mortal.process.kill()
            mortal.process.wait()


@pytest.mark.parametrize("kind", ["uvicorn", "gunicorn", "hypercorn", "granian"])
async def test_two_workers_on_one_port_show_a_vote_to_one_another(tmp_path: Path, kind: str) -> None:
    with serving_polls(tmp_path, f"{kind} with 2 workers", count=1) as polls:
        address, [yes, _] = polls.make_poll()
        async with AsyncExitStack() as stack:
            pages: dict[int, Client] = {}
            async with asyncio.timeout(SECONDS):
                while len(pages) < 2:
                    token = polls.users["alice"]["token"]
                    page = await stack.enter_async_context(opened(polls.servers[0].url, "/ws/", token=token))
                    pages[process_of(page)] = page
            for page in pages.values():
                assert votes(await page.request("join", topic=address)) == [0, 0]
            first = next(iter(pages.values()))
            assert (await first.request("vote", topic=address, option=yes))["type"] == "ok"
            for page in pages.values():
                assert votes(await page.event("changed", SECONDS)) == [1, 0]


def process_of(page: Client) -> int:
    """The random half of the connection's name, which is one per process."""
    return int(page.hello["connection"].rpartition(":")[2], 16) >> 16
