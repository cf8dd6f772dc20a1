"""What is ended on a page of one process is over on another within a second: by signing out, and by the admin's forms.

The pages are web-1's, sent as a browser sends them; the sockets are web-2's.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from http.cookies import SimpleCookie
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.cluster.running import Cluster
from tests.cluster.test_sign_in_limit import UnixConnection
from tests.servers import Site
from tests.wire import Client

pytestmark = pytest.mark.cluster

T = TypeVar("T")

# One second is promised; the other is for a busy machine.
SECONDS = 2.0
# Too late to find anything: neither does a sweep, nor a comparison of the rooms with the database.
NO_SWEEP, NO_COMPARISON = {"HUBBUB_SWEEP_SECONDS": "600"}, {"HUBBUB_COMPARE_SECONDS": "60"}
ENDED = (4003, "Session ended")
FORBIDDEN = (4005, "Forbidden")
PASSWORD = "correct horse 7"

# A browser


@dataclass
class Form:
    """A form that is posted. `values`: what a browser sends of it as it stands."""

    action: str
    names: set[str] = field(default_factory=set)
    values: list[tuple[str, str]] = field(default_factory=list)


class Forms(HTMLParser):
    """The forms of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._form: Form | None = None
        self._select = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form" and said.get("method") == "post":
            self._form = Form(said.get("action", ""))
            self.found.append(self._form)
        name = "" if "disabled" in said else said.get("name", "")
        if tag == "select":
            self._select = name
        if self._form is None:
            return
        if name:
            self._form.names.add(name)
        match tag, said.get("type"):
            case "input", "checkbox" | "radio" if name and "checked" in said:
                self._form.values.append((name, said.get("value", "on")))
            case "input", "checkbox" | "radio" | "submit":
                pass
            case "input", _ if name:
                self._form.values.append((name, said.get("value", "")))
            case "option", _ if self._select and "selected" in said:
                self._form.values.append((self._select, said.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


@dataclass
class Browser:
    """Somebody's, on the pages of one process."""

    process: Path
    cookies: dict[str, str]

    async def submit(self, page: str, changes: Mapping[str, str | None], *, action: str = "") -> float:
        """Open the page, fill in its form, send it, and say yes if asked. When it was answered.

        `changes`: None for what is unticked, or of which nothing is selected. `action`: where that form leads.
        """
        return await asyncio.to_thread(self._submit, page, changes, action)

    def _submit(self, page: str, changes: Mapping[str, str | None], action: str) -> float:
        status, text = self._ask("GET", page)
        assert status == 200
        status, text = self._send(page, text, changes, action)
        if status == 200:
            status, text = self._send(page, text, {}, action)
        assert status == 302, text
        return time.monotonic()

    def _send(self, page: str, text: str, changes: Mapping[str, str | None], action: str) -> tuple[int, str]:
        (form,) = [one for one in Forms(text).found if one.action == action]
        assert changes.keys() <= form.names
        kept = [(name, value) for name, value in form.values if name not in changes]
        given = [(name, value) for name, value in changes.items() if value is not None]
        return self._ask("POST", action or page, urlencode(kept + given))

    def _ask(self, method: str, page: str, body: str | None = None) -> tuple[int, str]:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        connection = UnixConnection(self.process)
        try:
            connection.request(method, page, body, headers)
            answer = connection.getresponse()
            for line in answer.headers.get_all("Set-Cookie") or []:
                self.cookies |= {name: one.value for name, one in SimpleCookie(line).items()}
            return answer.status, answer.read().decode()
        finally:
            connection.close()


def browser(cluster: Cluster, cookie: str) -> Browser:
    return Browser(cluster.sockets["web-1"], {"sessionid": cookie})


# Whom it is about


def make_root(site: Site) -> str:
    """A superuser's session."""
    name = f"root-{uuid4().hex[:8]}"
    site.shell(f"from django.contrib.auth import get_user_model as of; of().objects.create_superuser({name!r})")
    return site.make_user(name)["cookie"]


NAMES = """
import json, time
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.contrib.sessions.models import Session
from django.db import connection
from chat import services
from chat.models import Room
"""
MAKE = """
user = get_user_model().objects.get(username={name!r})
group = Group.objects.create(name={name!r})
group.permissions.add(Permission.objects.get(codename="view_dashboard"))
room = services.create_room(slug={name!r}, title="Room", is_private=True)
for one in (user, get_user_model().objects.get(username="mona")):
    membership = services.set_membership(room_id=room.pk, user_id=one.pk)
membership, token = user.memberships.get(), user.access_tokens.get()
"""
PRINT = "print(json.dumps({one: globals()[one].pk for one in ('user', 'group', 'room', 'membership', 'token')}))"

# What she may watch the dashboard by.
BY_PERMISSION = "user.user_permissions.set(group.permissions.all())"
BY_GROUP = "user.groups.add(group)"
# And how she is in the room without being a member.
BY_NOTHING = "services.change_room(room_id=room.pk, is_private=False); user.memberships.all().delete()"


@dataclass
class Alice:
    """A new user with a session, a token, a group (not hers yet) and a private room, where Mona is as well."""

    name: str
    cookie: str
    text: str  # Of the token.
    pks: dict[str, int]


async def make_alice(site: Site, more: str = "") -> Alice:
    name = f"alice-{uuid4().hex[:8]}"
    mine = await asyncio.to_thread(site.make_user, name)
    printed = await asyncio.to_thread(site.shell, NAMES + MAKE.format(name=name) + f"{more}\n{PRINT}")
    return Alice(name, mine["cookie"], mine["token"], json.loads(printed))


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """One in which nothing is found but by being told."""
    folder = tmp_path_factory.mktemp("told")
    with Cluster(folder, processes=2, **NO_SWEEP, **NO_COMPARISON) as one:
        yield one


@pytest.fixture(scope="module")
def root(cluster: Cluster) -> Browser:
    return browser(cluster, make_root(cluster))


@pytest.fixture(scope="module")
def mona(cluster: Cluster) -> str:
    return cluster.make_user("mona", "view_dashboard")["cookie"]


async def timed(what: Awaitable[T]) -> tuple[T, float]:
    """Its result, and when it came."""
    return await what, time.monotonic()


async def all_end(clients: list[Client], change: Awaitable[float], seconds: float = SECONDS) -> set[tuple[int, str]]:
    """How these sockets are closed by the change, each within that time of it."""
    closing = asyncio.gather(*(timed(one.closed(60)) for one in clients))
    changed_at = await change
    async with asyncio.timeout(seconds + 5):
        closes = await closing
    assert max(at for _, at in closes) - changed_at < seconds
    return {close for close, _ in closes}


async def are_alive(*clients: Client) -> bool:
    return [(await one.request("ping"))["type"] for one in clients] == ["pong"] * len(clients)


# Sessions, tokens and rights


async def test_signing_out_ends_every_socket_of_that_session_and_no_other(cluster: Cluster, mona: str) -> None:
    alice = await make_alice(cluster, BY_PERMISSION)
    other = (await asyncio.to_thread(cluster.make_user, alice.name))["cookie"]
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as chat,
        cluster.client(process="web-2", cookie=alice.cookie) as second_tab,
        cluster.client("/ws/monitor/", process="web-2", cookie=alice.cookie) as dashboard,
        cluster.client(process="web-2", cookie=other) as elsewhere,
        cluster.client(process="web-2", token=alice.text) as robot,
        cluster.client(process="web-2", cookie=mona) as bystander,
    ):
        signing_out = browser(cluster, alice.cookie).submit("/", {}, action="/account/sign-out/")
        assert await all_end([chat, second_tab, dashboard], signing_out) == {ENDED}
        assert await are_alive(elsewhere, robot, bystander)
    async with cluster.client(process="web-2", cookie=alice.cookie, wait_for_hello=False) as again:
        assert (await again.receive())["type"] == "auth.required"


async def test_who_changes_their_password_leaves_no_socket_of_the_old_one(cluster: Cluster, mona: str) -> None:
    alice = await make_alice(cluster, f"user.set_password({PASSWORD!r}); user.is_staff = True; user.save()")
    here, thief = [(await asyncio.to_thread(cluster.make_user, alice.name))["cookie"] for _ in range(2)]
    new = "battery staple 8"
    form = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    async with (
        cluster.client(process="web-2", cookie=here) as mine,
        cluster.client(process="web-2", cookie=thief) as stolen,
        cluster.client(process="web-2", cookie=mona) as bystander,
    ):
        page = browser(cluster, here)
        assert await all_end([mine, stolen], page.submit("/admin/password_change/", form)) == {ENDED}
        assert await are_alive(bystander)
    # The page where it was changed stays signed in, by a new session.
    assert page.cookies["sessionid"] != here
    async with cluster.client(process="web-2", cookie=page.cookies["sessionid"]) as again:
        assert await are_alive(again)


USER = "/admin/accounts/user/"
USER_ENDS: dict[str, tuple[str, dict[str, str | None]]] = {
    "a new password": (USER + "{user}/password/", {"password1": PASSWORD, "password2": PASSWORD}),
    "deactivated": (USER + "{user}/change/", {"is_active": None}),
    "deleted": (USER + "{user}/delete/", {}),
    "deleted by the action": (USER, {"action": "delete_selected", "_selected_action": "{user}", "index": "0"}),
}


def filled(page: str, form: Mapping[str, str | None], alice: Alice) -> tuple[str, dict[str, str | None]]:
    return page.format(**alice.pks), {name: value and value.format(**alice.pks) for name, value in form.items()}


@pytest.mark.parametrize("how", USER_ENDS)
async def test_the_sockets_of_a_user_end_with_what_the_admin_changes(
    cluster: Cluster, root: Browser, mona: str, how: str
) -> None:
    alice = await make_alice(cluster)
    other = (await asyncio.to_thread(cluster.make_user, alice.name))["cookie"]
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as one,
        cluster.client(process="web-2", cookie=other) as another,
        cluster.client(process="web-2", token=alice.text) as robot,
        cluster.client(process="web-2", cookie=mona) as bystander,
    ):
        # A token does not live by the password.
        staying, ending = ([robot], [one, another]) if "password" in how else ([], [one, another, robot])
        assert await all_end(ending, root.submit(*filled(*USER_ENDS[how], alice))) == {ENDED}
        assert await are_alive(bystander, *staying)


async def test_a_token_revoked_in_the_admin_ends_its_socket_and_no_other(cluster: Cluster, root: Browser) -> None:
    alice = await make_alice(cluster)
    other = (await asyncio.to_thread(cluster.make_user, alice.name))["token"]
    async with (
        cluster.client(process="web-2", token=alice.text) as leaked,
        cluster.client(process="web-2", token=other) as robot,
        cluster.client(process="web-2", cookie=alice.cookie) as tab,
    ):
        form = {"action": "revoke", "_selected_action": str(alice.pks["token"]), "index": "0"}
        assert await all_end([leaked], root.submit("/admin/realtime/accesstoken/", form)) == {ENDED}
        assert await are_alive(robot, tab)


GROUP = "/admin/auth/group/"
RIGHTS_END: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "permission taken from the user": (BY_PERMISSION, USER + "{user}/change/", {"user_permissions": None}),
    "group taken from the user": (BY_GROUP, USER + "{user}/change/", {"groups": None}),
    "permission taken from the group": (BY_GROUP, GROUP + "{group}/change/", {"permissions": None}),
    "group deleted": (BY_GROUP, GROUP + "{group}/delete/", {}),
}


@pytest.mark.parametrize("how", RIGHTS_END)
async def test_who_loses_the_right_in_the_admin_leaves_the_dashboard(
    cluster: Cluster, root: Browser, mona: str, how: str
) -> None:
    by, page, form = RIGHTS_END[how]
    alice = await make_alice(cluster, by)
    async with (
        cluster.client("/ws/monitor/", process="web-2", cookie=alice.cookie) as tab,
        cluster.client("/ws/monitor/", process="web-2", token=alice.text) as robot,
        cluster.client(process="web-2", cookie=alice.cookie) as chat,
        cluster.client("/ws/monitor/", process="web-2", cookie=mona) as bystander,
    ):
        assert await all_end([tab, robot], root.submit(*filled(page, form, alice))) == {FORBIDDEN}
        assert await are_alive(chat, bystander)


# Rooms

TOMORROW = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
ROOM, MEMBERSHIP = "/admin/chat/room/", "/admin/chat/membership/"
# In the room's own page hers is the first row: they stand by name.
ROOM_ENDS: dict[str, tuple[str, str, dict[str, str | None]]] = {
    "removed in the room's page": ("removed", ROOM + "{room}/change/", {"memberships-0-DELETE": "on"}),
    "removed by its list": ("removed", MEMBERSHIP + "{membership}/delete/", {}),
    "banned in the room's page": (
        "banned",
        ROOM + "{room}/change/",
        {"memberships-0-banned_until_0": TOMORROW, "memberships-0-banned_until_1": "12:00:00"},
    ),
    "banned by the action": ("banned", MEMBERSHIP, {"action": "ban", "_selected_action": "{membership}", "index": "0"}),
    "made private": ("removed", ROOM, {"action": "make_private", "_selected_action": "{room}", "index": "0"}),
    "room deleted": ("deleted", ROOM + "{room}/delete/", {}),
    "room deleted by the action": (
        "deleted",
        ROOM,
        {"action": "delete_selected", "_selected_action": "{room}", "index": "0"},
    ),
}


@asynccontextmanager
async def in_room(cluster: Cluster, alice: Alice, mona: str) -> AsyncIterator[tuple[Client, Client]]:
    """Alice's socket on web-2 and Mona's on web-1, both in the room."""
    async with (
        cluster.client(process="web-2", cookie=alice.cookie) as client,
        cluster.client(process="web-1", cookie=mona) as stays,
    ):
        for one in (client, stays):
            assert (await one.join(alice.name))["type"] == "ok"
        yield client, stays


async def see_out(
    client: Client, stays: Client, room: str, why: str, change: Awaitable[float], seconds: float = SECONDS
) -> None:
    """The change closes the room for the client, within that time of it; the other one goes on alone."""
    closing = asyncio.create_task(timed(client.event("room.closed", 60)))
    changed_at = await change
    async with asyncio.timeout(seconds + 5):
        closed, at = await closing
    assert closed == {"type": "room.closed", "room": room, "code": why}
    assert at - changed_at < seconds
    assert (await client.post(room, "may I?"))["code"] == "not_found"
    if why != "deleted":
        assert (await stays.post(room, "not for everybody"))["type"] == "ok"
        await stays.event("message.posted")
    # Whatever was sent before the answer to this has come by then.
    await client.request("ping")
    assert not [frame for frame in client.kept if frame.get("room") == room]


@pytest.mark.parametrize("how", ROOM_ENDS)
async def test_who_is_put_out_of_a_room_in_the_admin_hears_nothing_more_of_it(
    cluster: Cluster, root: Browser, mona: str, how: str
) -> None:
    why, page, form = ROOM_ENDS[how]
    alice = await make_alice(cluster, BY_NOTHING if how == "made private" else "")
    async with in_room(cluster, alice, mona) as (client, stays):
        await see_out(client, stays, alice.name, why, root.submit(*filled(page, form, alice)))
