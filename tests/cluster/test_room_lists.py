"""The list of rooms on two processes: what moves, comes and goes, and nothing of a room that a user may not read."""

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from tests.support.client import Client, Frame
from tests.support.cluster import Cluster, until
from tests.support.door_client import by_token
from tests.support.redis_server import OwnRedis

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(120)]

SOON = 1.5  # A second, and the way.
SWEEP_SECONDS = 30


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis_server:
        redis_server.start()
        yield redis_server


@pytest.fixture(scope="module")
def site(redis: OwnRedis, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("lists"), processes=2, REDIS_URL=redis.url) as cluster:
        yield cluster


@pytest.fixture
async def people(site: Cluster) -> dict[str, dict[str, str]]:
    await until(lambda: set(site.sockets) == {"web-1", "web-2"})
    names = [f"{name}-{uuid4().hex[:6]}" for name in ("anna", "bert")]
    return {name.partition("-")[0]: site.make_user(name) | {"name": name} for name in names}


async def run(site: Cluster, code: str) -> None:
    prelude = "from chat import services\nfrom chat.models import Membership, PersonalState, Room\n"
    prelude += "from django.contrib.auth import get_user_model\nuser = get_user_model().objects.get\n"
    await asyncio.to_thread(site.shell, prelude + code)


async def make_room(site: Cluster, *members: str, private: bool = True) -> str:
    slug = f"room-{uuid4().hex[:8]}"
    code = f"room = services.create_room(slug={slug!r}, title='Room', is_private={private})\n"
    for name in members:
        code += f"services.set_membership(room_id=room.pk, user_id=user(username={name!r}).pk)\n"
    await run(site, code)
    return slug


async def watch(client: Client) -> dict[str, Frame]:
    """Join the list; return its rooms by slug."""
    answer = await client.request("join", topic="rooms")
    assert (answer["type"], answer["complete"]) == ("ok", False), answer
    return {room["slug"]: room for room in answer["state"]["items"]}


async def moved(client: Client, slug: str, seconds: float = SOON) -> Frame:
    """Wait until the list says something of the room."""
    async with asyncio.timeout(seconds):
        while True:
            for room in (await client.event("moved", seconds))["items"]:
                if room["slug"] == slug:
                    return dict(room)


async def gone(client: Client, slug: str, seconds: float = SOON) -> None:
    async with asyncio.timeout(seconds):
        while slug not in (await client.event("gone", seconds))["keys"]:
            pass


async def silent_about(client: Client, slug: str, seconds: float) -> None:
    """Assert that nothing of a room arrives for a while."""
    await asyncio.sleep(seconds)
    answer = await client.request("ping")
    assert answer["type"] == "pong"
    assert not [frame for frame in client.unread if slug in str(frame)]


async def test_a_post_moves_the_room_in_lists_of_both_processes(site: Cluster, people: Any) -> None:
    slug = await make_room(site, people["anna"]["name"], people["bert"]["name"])
    async with (
        site.client(cookie=people["anna"]["cookie"], process="web-1") as anna,
        site.client(cookie=people["bert"]["cookie"], process="web-2") as bert,
    ):
        assert (await watch(anna))[slug]["last"] is None
        await watch(bert)
        assert (await anna.post(slug, "**Hello**\nto all"))["type"] == "ok"
        for client in (anna, bert):
            room = await moved(client, slug)
            assert (room["last_seq"], room["last"]["text"]) == (1, "Hello to all")
            assert room["last"]["user"]["name"] == people["anna"]["name"]
        # Watching is not being present, and no message arrives.
        assert not [frame for frame in (*anna.unread, *bert.unread) if frame["type"] not in ("moved", "gone")]
        joined = await bert.join(slug)
        present = joined.get("present") or await bert.event("presence.changed")  # Left out while it is not known.
        assert present["count"] == 1


async def test_at_most_one_frame_a_second(site: Cluster, people: Any) -> None:
    slug = await make_room(site, people["anna"]["name"])
    async with site.client(cookie=people["anna"]["cookie"]) as anna:
        await watch(anna)
        began = time.monotonic()
        for number in range(40):
            assert (await anna.post(slug, str(number)))["type"] == "ok"
            await asyncio.sleep(0.08)
        while (await moved(anna, slug))["last_seq"] != 40:
            pass
        frames = [frame for frame in anna.unread if frame["type"] == "moved"]
        assert frames == []
        assert time.monotonic() - began < 40 * 0.08 + 2 * SOON


@pytest.mark.parametrize("way", ["made", "member", "unbanned", "public", "renamed", "archived"])
async def test_what_comes_or_changes_is_told_within_a_second(site: Cluster, people: Any, way: str) -> None:
    bert = people["bert"]["name"]
    slug = await make_room(site) if way != "made" else f"room-{uuid4().hex[:8]}"
    if way == "unbanned":
        await run(
            site,
            f"""
from datetime import timedelta
from django.utils import timezone
room = Room.objects.get(slug={slug!r})
services.change_room(room_id=room.pk, is_private=False)
until = timezone.now() + timedelta(days=1)
services.set_membership(room_id=room.pk, user_id=user(username={bert!r}).pk, role="none", banned_until=until)
""",
        )
    elif way in ("renamed", "archived"):
        await run(site, f"services.change_room(room_id=Room.objects.get(slug={slug!r}).pk, is_private=False)")
    change = {
        "made": f"services.create_room(slug={slug!r}, title='New')",
        "member": "services.set_membership(room_id=room.pk, user_id=here.pk)",
        "unbanned": "services.remove_membership(room_id=room.pk, user_id=here.pk)",
        "public": "services.change_room(room_id=room.pk, is_private=False)",
        "renamed": "services.change_room(room_id=room.pk, title='Zebra')",
        "archived": "services.change_room(room_id=room.pk, is_archived=True)",
    }[way]
    async with site.client(cookie=people["bert"]["cookie"], process="web-2") as client:
        assert (slug in await watch(client)) == (way in ("renamed", "archived"))
        before = f"room, here = Room.objects.filter(slug={slug!r}).first(), user(username={bert!r})\n"
        await run(site, before + change)
        room = await moved(client, slug)
        if way == "renamed":
            assert room["title"] == "Zebra"
        assert room["archived"] == (way == "archived")


@pytest.mark.parametrize("way", ["removed", "banned", "private", "deleted", "left"])
async def test_what_a_user_loses_is_gone_within_a_second_and_silent(site: Cluster, people: Any, way: str) -> None:
    anna, bert = people["anna"]["name"], people["bert"]["name"]
    slug = await make_room(site, anna, bert, private=way in ("removed", "banned"))
    if way == "private":
        await run(site, f"services.remove_membership(room_id=Room.objects.get(slug={slug!r}).pk, "
                        f"user_id=user(username={bert!r}).pk)")  # fmt: skip
    change = {
        "removed": "services.remove_membership(room_id=room.pk, user_id=here.pk)",
        "banned": """
from datetime import timedelta
from django.utils import timezone
services.set_membership(room_id=room.pk, user_id=here.pk, banned_until=timezone.now() + timedelta(days=1))""",
        "private": "services.change_room(room_id=room.pk, is_private=True)",
        "deleted": "room.delete()",
        "left": """
from chat.serializers import rooms_topic
PersonalState.objects.create(user=here, room=room, has_left=True)
rooms_topic().lists_changed(user_ids=[str(here.pk)])""",
    }[way]
    async with (
        site.client(cookie=people["anna"]["cookie"], process="web-1") as writer,
        site.client(cookie=people["bert"]["cookie"], process="web-2") as client,
    ):
        assert slug in await watch(client)
        await run(site, f"room, here = Room.objects.get(slug={slug!r}), user(username={bert!r})\n{change}")
        await gone(client, slug)
        if way != "deleted":
            assert (await writer.post(slug, "not for Bert"))["type"] == "ok"
        await silent_about(client, slug, 2.5)


async def test_without_hints_nothing_leaks_and_all_is_told_in_the_end(
    site: Cluster, people: Any, redis: OwnRedis
) -> None:
    anna, bert = people["anna"]["name"], people["bert"]["name"]
    lost, got = await make_room(site, anna, bert), await make_room(site, anna)
    async with (
        site.client(cookie=people["anna"]["cookie"], process="web-1") as writer,
        site.client(cookie=people["bert"]["cookie"], process="web-2") as client,
    ):
        assert lost in await watch(client)
        redis.kill()
        try:
            assert (await writer.post(lost, "while Redis is away"))["type"] == "ok"
            assert (await moved(client, lost, 5))["last"]["text"] == "while Redis is away"
            await run(
                site,
                f"""
here = user(username={bert!r})
services.remove_membership(room_id=Room.objects.get(slug={lost!r}).pk, user_id=here.pk)
services.set_membership(room_id=Room.objects.get(slug={got!r}).pk, user_id=here.pk)
""",
            )
            assert (await writer.post(lost, "a secret"))["type"] == "ok"
            came: set[str] = set()
            went: set[str] = set()
            async with asyncio.timeout(SWEEP_SECONDS):
                while lost not in went or got not in came:
                    frame = await client.receive()
                    came |= {room["slug"] for room in frame.get("items", ())}
                    went |= {*frame.get("keys", ())}
                    assert "a secret" not in str(frame)
            await silent_about(client, "a secret", 2.5)
        finally:
            redis.start()


async def test_a_stream_has_the_list_and_resumes_it(site: Cluster, people: Any) -> None:
    slug = await make_room(site, people["anna"]["name"])
    door = by_token(site.url, people["anna"]["token"])
    async with door.stream("rooms", f"room/{slug}") as stream:
        state = (await stream.frame("ok", ref=0))["state"]
        assert slug in {room["slug"] for room in state["items"]}
        sent = await door.command("message.post", topic=f"room/{slug}", id=str(uuid4()), body="by HTTP")
        assert sent.status == 200
        moved_rooms = (await stream.frame("moved"))["items"]
        assert [room["last"]["text"] for room in moved_rooms if room["slug"] == slug] == ["by HTTP"]
    async with door.stream("rooms", f"room/{slug}", resume=stream.id) as stream:
        state = (await stream.frame("ok", ref=0))["state"]
        assert [room["last_seq"] for room in state["items"] if room["slug"] == slug] == [1]
    read = await door.state("rooms")
    assert (read.status, read.json["state"]["more"]) == (200, False)


async def test_a_watcher_of_none_of_ten_busy_rooms_gets_no_frame(site: Cluster, people: Any) -> None:
    slugs = [await make_room(site, people["anna"]["name"]) for _ in range(10)]
    async with (
        site.client(cookie=people["anna"]["cookie"], process="web-1") as writer,
        site.client(cookie=people["bert"]["cookie"], process="web-2") as client,
    ):
        assert not set(await watch(client)) & {*slugs}
        until_ = time.monotonic() + 20
        while time.monotonic() < until_:
            for slug in slugs:
                assert (await writer.post(slug, "busy"))["type"] == "ok"
            await asyncio.sleep(0.3)
        assert (await client.request("ping"))["type"] == "pong"
        assert client.unread == []


async def test_a_user_of_500_rooms_gets_them_all(site: Cluster) -> None:
    name = f"many-{uuid4().hex[:6]}"
    user = site.make_user(name)
    await run(
        site,
        f"""
here = user(username={name!r})
rooms = Room.objects.bulk_create(
    Room(slug=f"{name}-{{n}}", title=f"A room with a longer name {{n}}", is_private=True) for n in range(500)
)
rooms = Room.objects.filter(slug__startswith={name!r})
Membership.objects.bulk_create(Membership(room=room, user=here) for room in rooms)
""",
    )
    async with site.client(cookie=user["cookie"]) as client:
        answer = await client.request("join", topic="rooms")
        assert answer["type"] == "ok", answer
        found = {room["slug"] for room in answer["state"]["items"]}
        assert len(found) < 500
        async with asyncio.timeout(10):
            while len([slug for slug in found if slug.startswith(name)]) < 500:
                found |= {room["slug"] for room in (await client.event("moved"))["items"]}
        read = await client.request("state", topic="rooms")
        assert read["type"] == "ok", read
        assert read["state"]["more"]
        assert len(read["state"]["items"]) > 300
