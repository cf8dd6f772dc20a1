"""A handler that fails or never ends: that socket's own trouble, logged once with its name, and cleaned up."""

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.client import Client, opened
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

APPLICATION = "tests.support.inner_site:application"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("handlers"))


@pytest.fixture(scope="module")
def server(site: Site) -> Iterator[Server]:
    with site.serving("hubbub", 1, APPLICATION) as [server]:
        yield server


@pytest.fixture(scope="module")
def cookie(site: Site) -> str:
    return site.make_user("alice")["cookie"]


def trouble(server: Server, cookie: str, query: str = "") -> Any:
    return opened(server.url, f"/ws/trouble/{query}", cookie=cookie)


async def until_only_left(window: Client, cleaned_up: int) -> None:
    """Until no socket but the window is open, and `cleaned_up` have been cleaned up."""
    async with asyncio.timeout(10):
        while True:
            held = await window.request("inner.ask")
            if held["sockets"] == 1 and held["cleaned_up"] == cleaned_up:
                return
            await asyncio.sleep(0.05)


def lines_about(server: Server, connection: str) -> list[str]:
    return [line for line in server.log.read_text().splitlines() if connection in line]


async def test_a_handler_that_raises_is_answered_internal_and_its_socket_lives(server: Server, cookie: str) -> None:
    async with trouble(server, cookie) as alice, trouble(server, cookie) as bob:
        answer = await alice.request("trouble.raise")
        assert (answer["type"], answer["code"]) == ("error", "internal")
        for user in (alice, bob):
            assert (await user.request("ping"))["type"] == "pong"
        assert len(lines_about(server, alice.hello["connection"])) == 1
        assert lines_about(server, bob.hello["connection"]) == []


REFUSALS = {
    "not_found": 4006,
    "conflict": 4006,
    "forbidden": 4005,
    "unauthorized": 4003,
    "rate_limited": 4102,
    "unavailable": 4103,
}


@pytest.mark.parametrize(("code", "closes"), REFUSALS.items())
async def test_refused_while_it_opens_no_such_poll_it_is_answered_and_closed(
    server: Server, cookie: str, code: str, closes: int
) -> None:
    async with trouble(server, cookie) as window:
        before = (await window.request("inner.ask"))["cleaned_up"]
        async with trouble(server, cookie, f"?refuse={code}") as alice:
            assert await alice.closed() == (closes, "Refused")
            expected = {"type": "error", "code": code, "detail": "no such poll", "retry_after_ms": 1500}
            assert alice.unread == [expected]
        await until_only_left(window, before + 1)
        assert lines_about(server, alice.hello["connection"]) == []


@pytest.mark.parametrize(("kind", "closes"), [("raise", 1011), ("hang", 4103)])
async def test_a_socket_that_fails_when_it_opens_is_closed(server: Server, cookie: str, kind: str, closes: int) -> None:
    async with trouble(server, cookie) as window:
        before = (await window.request("inner.ask"))["cleaned_up"]
        async with trouble(server, cookie, f"?{kind}") as alice:
            assert (await alice.closed())[0] == closes
            assert (await window.request("ping"))["type"] == "pong"
        await until_only_left(window, before + 1)
        assert len(lines_about(server, alice.hello["connection"])) == 1


async def test_a_handler_that_never_ends_is_answered_unavailable_and_its_socket_lives(
    server: Server, cookie: str
) -> None:
    async with trouble(server, cookie) as alice, trouble(server, cookie) as bob:
        await alice.send({"type": "trouble.hang", "ref": "hang"})
        # Until then it is answered, and so are the others.
        for user in (alice, bob):
            assert (await user.request("ping"))["type"] == "pong"
        assert (await alice.answer("hang"))["code"] == "unavailable"
        assert (await alice.request("ping"))["type"] == "pong"
        [line] = lines_about(server, alice.hello["connection"])
        assert "TroubleHang" in line


async def test_a_socket_that_leaves_while_a_handler_hangs_is_cleaned_up(server: Server, cookie: str) -> None:
    async with trouble(server, cookie) as window:
        before = (await window.request("inner.ask"))["cleaned_up"]
        async with trouble(server, cookie) as alice:
            await alice.send({"type": "trouble.hang", "ref": 1})
            assert (await alice.request("ping"))["type"] == "pong"
        await until_only_left(window, before + 1)
