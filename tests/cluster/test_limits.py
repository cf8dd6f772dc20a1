"""Limits at the wire, on two real processes: refusals, and usage shared between processes."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import Client, opened
from tests.support.raw_client import answered, handshake
from tests.support.servers import DEFAULT_LIMITS, Server, Site

pytestmark = pytest.mark.cluster

# As by default, but where it would take too many sockets.
LIMITS = DEFAULT_LIMITS | {
    "HUBBUB_MAX_SOCKETS": "40",
    "HUBBUB_MAX_SOCKETS_PER_USER": "8",
    "HUBBUB_MAX_GROUPS_PER_SOCKET": "3",
}
EXCHANGE_SECONDS = 5.0  # Twice a round, and a slow machine.


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("limits"))
    rooms = [f"room-{number}" for number in range(5)]
    site.shell(f"from chat import services\nfor slug in {rooms!r}: services.create_room(slug=slug, title=slug)")
    return site


@pytest.fixture(scope="module")
def servers(site: Site) -> Iterator[list[Server]]:
    with site.serving("hubbub", 2, **LIMITS) as both:
        yield both
        for server in both:
            assert "Traceback" not in server.log.read_text()


@pytest.fixture
def alice(site: Site) -> dict[str, str]:
    return site.make_user(f"alice-{uuid4().hex[:8]}")


@pytest.fixture
def bob(site: Site) -> dict[str, str]:
    return site.make_user(f"bob-{uuid4().hex[:8]}")


async def test_a_private_room_is_not_found_at_the_limit_of_public_rooms(
    servers: list[Server], site: Site, alice: dict[str, str]
) -> None:
    name = f"bob-{uuid4().hex[:8]}"
    bob = site.make_user(name)
    slug = f"private-{uuid4().hex[:8]}"
    site.shell(
        "from chat import services\nfrom django.contrib.auth import get_user_model\n"
        f"room = services.create_room(slug={slug!r}, title='Private', is_private=True)\n"
        f"user = get_user_model().objects.get(username={name!r})\n"
        "services.set_membership(room_id=room.pk, user_id=user.pk)"
    )
    url = servers[0].url
    async with opened(url, cookie=alice["cookie"]) as stranger, opened(url, cookie=bob["cookie"]) as member:
        for number in range(3):
            assert (await stranger.join(f"room-{number}"))["type"] == "ok"
        nowhere = await stranger.join("there-is-none")
        empty = await stranger.join(slug)
        assert (await member.join(slug))["type"] == "ok"
        used = await stranger.join(slug)
        for answer in (nowhere, empty, used):
            del answer["ref"]
        assert nowhere == empty == used
        assert nowhere["code"] == "not_found"
        # The member may know of it, and is told that it is one room too many.
        for number in range(2):
            assert (await member.join(f"room-{number}"))["type"] == "ok"
        assert (await member.join("room-2"))["code"] == "too_many"
        assert (await stranger.join("room-3"))["code"] == "too_many"
        # A refused socket takes no place.
        assert (await stranger.ask("room-0", "leave"))["type"] == "ok"
        assert (await stranger.join("room-3"))["type"] == "ok"


async def post_at_once(client: Client, count: int) -> list[dict[str, Any]]:
    """The answers to so many posts that are sent without waiting."""
    refs = {str(uuid4()) for _ in range(count)}
    for ref in refs:
        await client.send({"type": "message.post", "ref": ref, "topic": "room/room-0", "id": ref, "body": "hi"})
    frames = []
    while refs:
        frames.append(await client.receive())
        refs.discard(frames[-1]["ref"])
    return frames


async def greeted(url: str, cookie: str) -> bool:
    """Whether a socket gets its hello; it may also be closed with 4009."""
    async with opened(url, cookie=cookie, wait_for_hello=False) as client:
        try:
            return bool(await client.event("hello"))
        except ConnectionClosed:
            assert await client.closed() == (4009, "Too many connections")
            return False


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(EXCHANGE_SECONDS):
        while not await condition():
            await asyncio.sleep(0.1)


async def test_past_its_burst_a_post_is_refused_and_accepted_after_retry_after(
    servers: list[Server], alice: dict[str, str], bob: dict[str, str]
) -> None:
    async with (
        opened(servers[0].url, cookie=alice["cookie"]) as client,
        opened(servers[0].url, cookie=bob["cookie"]) as other,
    ):
        answers = await post_at_once(client, 60)
        refused = [answer for answer in answers if answer["type"] == "error"]
        assert 20 <= len(refused) <= 30
        assert {answer["code"] for answer in refused} == {"rate_limited"}
        assert (await other.post("room-0", "I did nothing"))["type"] == "ok"
        again = await client.post("room-0", "too soon")
        while again["type"] == "error":
            assert again["code"] == "rate_limited"
            await asyncio.sleep(again["retry_after_ms"] / 1000)
            began = time.monotonic()
            again = await client.post("room-0", "now")
            assert time.monotonic() - began < 5
        assert (await client.request("ping"))["type"] == "pong"


async def test_a_user_posts_no_more_on_two_processes_than_on_one(servers: list[Server], alice: dict[str, str]) -> None:
    async with (
        opened(servers[0].url, cookie=alice["cookie"]) as socket,
        opened(servers[1].url, cookie=alice["cookie"]) as other,
    ):
        assert [frame["type"] for frame in await post_at_once(socket, 30)].count("ok") == 30
        # It hears of that within a round or two, though none of its sockets has asked for anything.
        deadline = time.monotonic() + EXCHANGE_SECONDS
        let_through = 0
        while (answer := await other.post("room-0", "is it known here?"))["type"] == "ok":
            let_through += 1
            assert time.monotonic() < deadline, "a user has a burst on each process, again and again"
            await asyncio.sleep(0.01)
        assert answer["code"] == "rate_limited"
        # On its own it would let through 30, and ten each second.
        began, count = time.monotonic(), 0
        while time.monotonic() - began < 6:
            for client in (socket, other):
                answer = await client.post("room-0", "on and on")
                count += answer["type"] == "ok"
            await asyncio.sleep(0.02)
        seconds = time.monotonic() - began
        assert count < 10 * seconds + 30


async def test_one_socket_too_many_of_a_user_is_closed_with_4009(
    servers: list[Server], alice: dict[str, str], bob: dict[str, str]
) -> None:
    async with AsyncExitStack() as stack:
        for _ in range(8):
            await stack.enter_async_context(opened(servers[0].url, cookie=alice["cookie"]))
        assert not await greeted(servers[0].url, alice["cookie"])

        async def is_known_elsewhere() -> bool:
            return not await greeted(servers[1].url, alice["cookie"])

        await until(is_known_elsewhere)
        assert await greeted(servers[0].url, bob["cookie"])
    # They have gone: there is room again.
    await until(lambda: greeted(servers[1].url, alice["cookie"]))
    await until(lambda: greeted(servers[0].url, alice["cookie"]))


async def test_a_full_process_answers_503_and_says_when_to_come_again(
    servers: list[Server], site: Site, bob: dict[str, str]
) -> None:
    users = [await asyncio.to_thread(site.make_user, f"guest-{number}-{uuid4().hex[:6]}") for number in range(5)]
    async with AsyncExitStack() as stack:
        for number in range(40):
            await stack.enter_async_context(opened(servers[0].url, cookie=users[number // 8]["cookie"]))
        cookie = [f"Cookie: sessionid={bob['cookie']}", f"Origin: {servers[0].url}"]
        status, head = await answered(servers[0], handshake(servers[0], "/ws/chat/", *cookie))
        assert status == 503
        assert b"\r\nRetry-After: 5\r\n" in head
        async with opened(servers[1].url, cookie=bob["cookie"]) as elsewhere:
            assert elsewhere.hello

    async def has_room_again() -> bool:
        return (await answered(servers[0], handshake(servers[0], "/ws/chat/", *cookie)))[0] == 101

    await until(has_room_again)


async def test_a_socket_is_in_so_many_rooms_and_stays_in_them(servers: list[Server], alice: dict[str, str]) -> None:
    async with opened(servers[0].url, cookie=alice["cookie"]) as client:
        for number in range(3):
            assert (await client.join(f"room-{number}"))["type"] == "ok"
        assert (await client.join("room-3"))["code"] == "too_many"
        assert (await client.join("room-0"))["type"] == "ok"  # Again is no more.
        await client.ask("room-1", "leave")
        assert (await client.join("room-3"))["type"] == "ok"
