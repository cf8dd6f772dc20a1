"""Sites with other user models, each on two real processes: see tests/foreign/models.py."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.client import Client, opened
from tests.support.postgresql import PostgreSQL
from tests.support.revocation import ENDED, NO_COMPARISON, NO_SWEEP, all_end, see_out
from tests.support.servers import DEFAULT_LIMITS, Server, Site

pytestmark = pytest.mark.cluster

EXCHANGE_SECONDS = 8.0  # Some rounds of a second each, and a slow machine.
BURST, SOCKETS = 20, 4
# Only a hint reaches the other process in time: nothing else looks.
SETTINGS = NO_SWEEP | NO_COMPARISON | DEFAULT_LIMITS
SETTINGS |= {"HUBBUB_POSTS_BURST": str(BURST), "HUBBUB_POSTS_PER_SECOND": "0.1"}
SETTINGS |= {"HUBBUB_MAX_SOCKETS_PER_USER": str(SOCKETS), "HUBBUB_PRESENCE_GRACE_SECONDS": "0"}

NAMES = """
import time
from datetime import timedelta
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.utils import timezone
from chat import services
from chat.models import Room
from hubbub.models import AccessToken
users = get_user_model()._default_manager
"""
SIGN_OUT = "Session.objects.get(pk={cookie!r}).delete()"
CHANGE_PASSWORD = "user = users.get(pk={id!r}); user.set_password('another'); user.save()"
BAN = (
    "services.set_membership(room_id=Room.objects.get(slug={room!r}).pk, user_id={id!r},"
    " banned_until=timezone.now() + timedelta(days=1))"
)


@dataclass
class Team:
    """A site of one kind of users, and its two processes."""

    site: Site
    servers: list[Server]
    model: str

    async def user(self) -> dict[str, str]:
        word = uuid4().hex[:8]
        match self.model:
            case "Member" | "Account":
                return await asyncio.to_thread(self.site.make_user, f"{word}@example.org")
            case "Reader":
                return await asyncio.to_thread(self.site.make_user, str(int(word, 16)), card=f"203.0.113.7/{word}-ü")
        return await asyncio.to_thread(self.site.make_user, word)

    async def room(self) -> str:
        slug = f"room-{uuid4().hex[:8]}"
        await self.shell(f"services.create_room(slug={slug!r}, title='Room')")
        return slug

    async def shell(self, code: str) -> float:
        """Run it in a process of its own; when it was done."""
        printed = await asyncio.to_thread(self.site.shell, f"{NAMES}\n{code}\nprint(time.monotonic())")
        return float(printed.split()[-1])

    def socket(self, process: int, user: dict[str, str], **more: Any) -> Any:
        return opened(self.servers[process].url, cookie=user["cookie"], **more)


def serving(folder: Any, model: str, **settings: str) -> Iterator[Team]:
    named = {"DJANGO_SETTINGS_MODULE": "tests.foreign.settings", "FOREIGN_USER_MODEL": model}
    site = Site(folder, **named, **settings)
    with site.serving("hubbub", 2, **SETTINGS) as servers:
        yield Team(site, servers, model)
        for server in servers:
            assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Its keys are UUIDs in a column with a blank, its table is called `group`, its names are e-mail addresses."""
    yield from serving(tmp_path_factory.mktemp("foreign"), "Member")


async def test_a_foreign_users_sign_out_ends_the_socket_on_the_other_process_within_a_second(team: Team) -> None:
    ada, ben = await team.user(), await team.user()
    async with team.socket(0, ada) as socket, team.socket(1, ada) as other, team.socket(1, ben) as stays:
        assert socket.hello["user"] == {"id": ada["id"], "name": socket.hello["user"]["name"]}
        assert await all_end([socket, other], team.shell(SIGN_OUT.format(**ada))) == {ENDED}
        assert (await stays.request("ping"))["type"] == "pong"


async def test_a_foreign_users_new_password_ends_the_socket_within_a_second(team: Team) -> None:
    ada = await team.user()
    async with team.socket(1, ada) as socket:
        assert await all_end([socket], team.shell(CHANGE_PASSWORD.format(**ada))) == {ENDED}


async def test_a_foreign_users_save_by_a_proxy_class_ends_the_socket_within_a_second(team: Team) -> None:
    ada = await team.user()
    change = "from tests.foreign.models import DeskMember\nuser = DeskMember._default_manager.get(pk={id!r})\n"
    async with team.socket(1, ada) as socket:
        closes = await all_end([socket], team.shell((change + "user.is_active = False; user.save()").format(**ada)))
        assert closes == {ENDED}


async def test_a_foreign_user_hidden_by_the_teams_manager_is_out_and_stays_out(team: Team) -> None:
    ada = await team.user()
    leave = "user = users.get(pk={id!r}); user.left_at = timezone.now(); user.save()"
    async with team.socket(1, ada) as socket:
        assert await all_end([socket], team.shell(leave.format(**ada))) == {ENDED}
    assert not await came_in(team, 0, ada)
    async with opened(team.servers[0].url, token=ada["token"], wait_for_hello=False) as program:
        await program.event("auth.required")
        await program.send({"type": "auth", "token": ada["token"]})
        assert (await program.closed())[0] == 4001


async def test_a_foreign_user_who_is_banned_is_out_of_the_room_within_a_second(team: Team) -> None:
    await see_banned(team)


async def test_foreign_users_on_two_processes_see_one_another_come_and_go(team: Team) -> None:
    await see_one_another(team)


async def test_a_foreign_user_who_is_renamed_has_the_new_name_on_both_processes(team: Team) -> None:
    ada, ben, room = await team.user(), await team.user(), await team.room()
    async with team.socket(1, ada) as client, team.socket(0, ben) as stays:
        for socket in (client, stays):
            assert (await socket.join(room))["type"] == "ok"
        await client.post(room, "before")
        await team.shell("user = users.get(pk={id!r}); user.email = 'new-' + user.email; user.save()".format(**ada))
        renamed = {"id": ada["id"], "name": "new-" + client.hello["user"]["name"]}
        for socket in (client, stays):
            assert (await socket.event("person.changed", EXCHANGE_SECONDS))["user"] == renamed
        while renamed not in (await stays.event("presence.changed", EXCHANGE_SECONDS))["joined"]:
            pass


async def test_foreign_users_are_limited_over_both_processes(team: Team) -> None:
    await be_limited(team)


ADMIN_PAGES = ["", "room/1/change/", "room/1/ban/", "room/add/", "membership/", "membership/?q=ada", "membership/add/"]
ADMIN_PAGES += ["membership/{membership}/change/", "message/", "message/?q=ada"]
SEE_ADMIN = """
from django.test import Client
root = users.create_superuser("root@example.org", "a good password")
membership = services.set_membership(room_id=1, user_id={id!r})
client = Client(SERVER_NAME="127.0.0.1")
client.force_login(root)
pages = ["/admin/chat/" + page.format(membership=membership.pk) for page in {pages!r}]
pages += ["/admin/", "/admin/hubbub/accesstoken/?q=ada", "/admin/hubbub/accesstoken/add/", "/monitor/", "/"]
pages += ["/admin/hubbub/accesstoken/?state=inactive", "/admin/hubbub/accesstoken/?state=usable"]
print([page for page in pages if client.get(page).status_code != 200])
gone = client.post(f"/admin/chat/membership/{{membership.pk}}/delete/", {{"post": "yes"}})
added = client.post("/admin/chat/membership/add/", {{"room": "1", "user": {id!r}, "role": "moderator"}})
print(gone.status_code, added.status_code, services.Membership.objects.get(user_id={id!r}).role)
services.Membership.objects.all().delete()
banned = client.post("/admin/chat/room/1/ban/", {{"user": "ada@example.org", "span": "week", "reason": "loud"}})
ban = services.Membership.objects.get()
print(banned.status_code, ban.user.email, ban.role, ban.is_banned, ban.ban_reason)
rows = {{"action": "lift_ban", "_selected_action": ban.pk}}
print(client.post("/admin/chat/membership/", rows).status_code, services.Membership.objects.count())
"""


def test_the_admin_of_a_team_whose_users_are_not_in_it_opens_searches_and_saves(team: Team) -> None:
    ada = team.site.make_user("ada@example.org")
    seen = team.site.shell(NAMES + SEE_ADMIN.format(pages=ADMIN_PAGES, **ada))
    assert seen.splitlines() == ["[]", "302 302 moderator", "302 ada@example.org none True loud", "302 0"]


def test_tokens_are_made_and_listed_by_the_name_that_foreign_users_sign_in_by(team: Team) -> None:
    team.site.make_user("ben@example.org")
    assert team.site.manage("token", "create", "ben@example.org").startswith("hub_")
    assert "ben@example.org" in team.site.manage("token", "list", "ben@example.org")
    prepare = "import sys; sys.argv = ['', 'storm', '--', 'one', 'two']; from chaos.prepare import main; main()"
    assert [line[:4] for line in team.site.shell(prepare).splitlines()] == ["hub_", "hub_"]


@pytest.mark.parametrize("model", ["Reader", "Guest", "Account"])
async def test_users_of_other_kinds_are_signed_out_banned_seen_and_limited(tmp_path: Any, model: str) -> None:
    for team in serving(tmp_path, model):
        await all_of_it(team)


async def test_foreign_users_on_postgresql_are_signed_out_banned_seen_and_limited(tmp_path: Any) -> None:
    with PostgreSQL() as postgresql:
        for team in serving(tmp_path, "Member", DATABASE_URL=postgresql.url):
            await all_of_it(team)


async def all_of_it(team: Team) -> None:
    await see_banned(team)
    await see_one_another(team)
    await be_limited(team)
    ada = await team.user()
    async with team.socket(1, ada) as socket:
        assert await all_end([socket], team.shell(SIGN_OUT.format(**ada))) == {ENDED}
    ben = await team.user()
    async with opened(team.servers[0].url, token=ben["token"]) as program:
        assert program.hello["user"]["id"] == ben["id"]
        revoke = "from hubbub.auth.tokens import revoke_token; revoke_token(AccessToken.objects.get(user_id={id!r}))"
        assert await all_end([program], team.shell(revoke.format(**ben))) == {ENDED}


async def see_banned(team: Team) -> None:
    ada, ben, room = await team.user(), await team.user(), await team.room()
    async with team.socket(1, ada) as client, team.socket(0, ben) as stays:
        for socket in (client, stays):
            assert (await socket.join(room))["type"] == "ok"
        posted = await client.post(room, "Hello.")
        assert posted["type"] == "ok"
        said = (await stays.event("message.posted"))["message"]
        assert said["user"] == client.hello["user"]
        assert (await client.ask(room, "message.edit", seq=1, body="Hello!"))["type"] == "ok"
        assert (await stays.ask(room, "message.edit", seq=1, body="Ho."))["code"] == "forbidden"
        again = await client.post(room, "Hello.", (await stays.event("message.edited"))["message"]["id"])
        assert (again["seq"], again["position"]) == (posted["seq"], posted["position"])
        await see_out(client, stays, room, "banned", team.shell(BAN.format(room=room, **ada)))
        assert (await client.join(room))["code"] == "not_found"
        assert (await client.ask(room, "message.delete", seq=1))["code"] == "not_found"


async def see_one_another(team: Team) -> None:
    ada, ben, room = await team.user(), await team.user(), await team.room()
    async with team.socket(0, ada) as socket:
        present = await see_present(socket, room, {ada["id"]}, {})
        async with team.socket(1, ben) as other:
            await asyncio.gather(
                see_present(other, room, {ada["id"], ben["id"]}, {}),
                see_present(socket, "", {ada["id"], ben["id"]}, present),
            )
        await see_present(socket, "", {ada["id"]}, present)


async def see_present(client: Client, join: str, expected: set[str], present: dict[str, str]) -> dict[str, str]:
    """Follow presence by the rules of docs/protocol.md until these users are present."""
    if join:
        answer = await client.join(join)
        present |= {user["id"]: user["name"] for user in answer.get("present", {"users": []})["users"]}
    async with asyncio.timeout(EXCHANGE_SECONDS):
        while present.keys() != expected:
            event = await client.event("presence.changed")
            for user in event["left"]:
                present.pop(user["id"], None)
            present |= {user["id"]: user["name"] for user in event["joined"]}
    return present


async def be_limited(team: Team) -> None:
    ada, room = await team.user(), await team.room()
    async with AsyncExitStack() as stack:
        socket, *_ = [await stack.enter_async_context(team.socket(0, ada)) for _ in range(SOCKETS - 1)]
        async with asyncio.timeout(EXCHANGE_SECONDS):
            while await came_in(team, 1, ada, then_stay=stack):
                await asyncio.sleep(0.1)
        other = await stack.enter_async_context(team.socket(1, await team.user()))
        assert (await other.post(room, "I did nothing."))["type"] == "ok"
    async with AsyncExitStack() as stack:
        # Each process counts the sockets that the other one has closed until the next exchange.
        async with asyncio.timeout(EXCHANGE_SECONDS):
            for process in (0, 1):
                while not await came_in(team, process, ada):
                    await asyncio.sleep(0.1)
        socket = await stack.enter_async_context(team.socket(0, ada))
        other = await stack.enter_async_context(team.socket(1, ada))
        answers = [(await socket.post(room, "again"))["type"] for _ in range(BURST + 5)]
        assert answers.count("ok") in (BURST, BURST + 1)
        # Usage on the other process counts here within two rounds; this process alone would allow the whole burst.
        async with asyncio.timeout(EXCHANGE_SECONDS):
            for _ in range(BURST - 3):
                if (await other.post(room, "here?"))["type"] == "error":
                    break
                await asyncio.sleep(0.5)
            else:
                raise AssertionError("what was posted by the other process does not count")


async def came_in(team: Team, process: int, user: dict[str, str], then_stay: AsyncExitStack | None = None) -> bool:
    """Whether a socket of the user's gets its hello there."""
    stack = then_stay or AsyncExitStack()
    client = await stack.enter_async_context(team.socket(process, user, wait_for_hello=False))
    try:
        frame = await client.receive()
    except ConnectionClosed:
        return False
    finally:
        if then_stay is None:
            await stack.aclose()
    return bool(frame["type"] == "hello")
