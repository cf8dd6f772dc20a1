"""Rooms by people, restores and typing at clients of two processes."""

import asyncio
import time
from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.support.client import Client, opened
from tests.support.door_client import by_token
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site"))


@pytest.fixture(scope="module")
def cookies(site: Site) -> dict[str, str]:
    names = {"alice": "add_room", "bob": "", "charlie": ""}
    return {name: site.make_user(name, permission)["cookie"] for name, permission in names.items()}


@pytest.fixture(scope="module")
def servers(site: Site) -> Iterator[list[Server]]:
    with site.serving("hubbub", 2) as servers:
        yield servers


async def in_lobby(client: Client, command: str, **fields: object) -> dict[str, object]:
    answer = await client.request(command, topic="lobby", **fields)
    assert answer["type"] == "ok", answer
    return answer["result"]


async def new_room(client: Client, **more: object) -> str:
    made = await in_lobby(client, "room.create", id=uuid4().hex, title=f"Room {uuid4().hex}", **more)
    return str(made["slug"])


async def test_a_room_is_made_shared_and_left(servers: list[Server], cookies: dict[str, str]) -> None:
    async with (
        opened(servers[0].url, cookie=cookies["alice"]) as alice,
        opened(servers[1].url, cookie=cookies["bob"]) as bob,
    ):
        refused = await bob.request("room.create", topic="lobby", id="1", title="Mine")
        assert (refused["type"], refused["code"]) == ("error", "forbidden")
        once = {"id": uuid4().hex, "title": f"Room {uuid4().hex}", "private": True}
        made = await in_lobby(alice, "room.create", **once)
        slug = str(made["slug"])
        assert await in_lobby(alice, "room.create", **once) == made
        assert (await bob.ask(slug, "room.members"))["code"] == "not_found"
        member = await alice.ask(slug, "member.invite", name="bob")
        assert (member["type"], member["result"]["role"]) == ("ok", "member")
        await bob.join(slug)
        await alice.ask(slug, "room.change", title="Shared")
        assert (await bob.event("room.changed"))["changes"] == {"title": "Shared"}
        listed = (await bob.ask(slug, "room.members"))["result"]
        assert ([person["name"] for person in listed["members"]], listed["next"]) == (["alice", "bob"], None)
        assert (await alice.ask(slug, "room.leave"))["code"] == "conflict"
        assert (await alice.ask(slug, "member.remove", member=member["result"]["id"]))["type"] == "ok"
        assert (await bob.event("closed"))["code"] == "removed"
        for command, fields in (("room.change", {"title": "Mine"}), ("room.leave", {}), ("room.return", {})):
            assert (await bob.ask(slug, command, **fields))["code"] == "not_found"


async def test_a_deletion_is_undone_on_another_process(servers: list[Server], cookies: dict[str, str]) -> None:
    async with (
        opened(servers[0].url, cookie=cookies["alice"]) as alice,
        opened(servers[1].url, cookie=cookies["alice"]) as elsewhere,
        opened(servers[1].url, cookie=cookies["bob"]) as bob,
    ):
        slug = await new_room(alice)
        await bob.join(slug)
        seq = (await alice.post(slug, "Tea?"))["seq"]
        await alice.ask(slug, "message.delete", seq=seq)
        await bob.event("message.deleted")
        assert (await elsewhere.ask(slug, "message.restore", seq=seq, body="Coffee?"))["code"] == "conflict"
        answers = await asyncio.gather(
            alice.ask(slug, "message.restore", seq=seq, body="Tea?"),
            elsewhere.ask(slug, "message.restore", seq=seq, body="Tea?"),
        )
        assert [answer["result"] for answer in answers] == [{"position": 3}] * 2
        restored = await bob.event("message.edited")
        message = restored["message"]
        assert (restored["position"], message["body"], message["deleted"], message["edited_at"]) == (
            3,
            "Tea?",
            False,
            None,
        )


async def test_typing_is_heard_on_the_other_process_and_a_flood_delays_no_post(
    servers: list[Server], cookies: dict[str, str]
) -> None:
    async with (
        opened(servers[0].url, cookie=cookies["alice"]) as alice,
        opened(servers[1].url, cookie=cookies["bob"]) as bob,
        opened(servers[0].url, cookie=cookies["charlie"]) as charlie,
    ):
        slug = await new_room(alice)
        for client in (alice, bob, charlie):
            await client.join(slug)
        assert (await alice.ask(slug, "room.typing"))["type"] == "ok"
        assert (await bob.event("room.typing"))["user"]["name"] == "alice"

        flooding = True

        async def flood() -> None:
            while flooding:
                await charlie.ask(slug, "room.typing")

        flooder = asyncio.create_task(flood())
        longest = 0.0
        for number in range(20):
            began = time.monotonic()
            assert (await alice.post(slug, str(number)))["type"] == "ok"
            assert (await bob.event("message.posted"))["message"]["body"] == str(number)
            longest = max(longest, time.monotonic() - began)
        flooding = False
        await flooder
        assert longest < 1.0


@pytest.mark.usefixtures("cookies")
async def test_rooms_are_managed_over_http_too(site: Site, servers: list[Server]) -> None:
    tokens = [(await asyncio.to_thread(site.make_user, name))["token"] for name in ("alice", "bob")]
    alice, bob = (by_token(server.url, token) for server, token in zip(servers, tokens, strict=True))
    made = await alice.command("room.create", topic="lobby", id=uuid4().hex, title=f"Room {uuid4().hex}")
    topic = f"room/{made.json['result']['slug']}"
    assert (await bob.command("room.change", topic=topic, title="Mine")).json["code"] == "forbidden"
    assert (await alice.command("member.invite", topic=topic, name="bob")).json["result"]["name"] == "bob"
    members = (await bob.command("room.members", topic=topic, limit=1)).json["result"]
    assert [member["name"] for member in members["members"]] == ["alice"]
    members = (await bob.command("room.members", topic=topic, place=members["next"])).json["result"]
    assert ([member["name"] for member in members["members"]], members["next"]) == (["bob"], None)
    assert (await bob.command("room.leave", topic=topic)).json["type"] == "ok"
    left = (await bob.command("rooms.browse", topic="lobby")).json["result"]["rooms"]
    assert topic.removeprefix("room/") in [room["slug"] for room in left]
