"""Names over two real processes: a new one shows everywhere, and of two look-alikes one comes to be."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urlencode
from uuid import uuid4

import pytest

from tests.support.browsing import UnixConnection
from tests.support.cluster import Cluster

pytestmark = pytest.mark.cluster

PASSWORD = "correct horse 7"
SECONDS = 5.0
OF = "from django.contrib.auth import get_user_model as of\n"
RENAME = OF + "user = of().objects.get(username={name!r}); user.username = {new!r}; user.save()"
MAKE_ROOM = (
    "from chat import services\nroom = services.create_room(slug={room!r}, title='Room', is_private=True)\n"
    "for user_id in {ids!r}: services.set_membership(room_id=room.pk, user_id=user_id)"
)


async def test_a_new_name_is_on_all_processes_within_seconds(cluster: Cluster) -> None:
    name, room = f"ada-{uuid4().hex[:8]}", f"room-{uuid4().hex[:8]}"
    ada, mona = [await asyncio.to_thread(cluster.make_user, username) for username in (name, f"mona-{room}")]
    outsider = await asyncio.to_thread(cluster.make_user, "outsider")
    await asyncio.to_thread(cluster.shell, MAKE_ROOM.format(room=room, ids=[ada["id"], mona["id"]]))
    async with (
        cluster.client(cookie=ada["cookie"], process="web-2") as there,
        cluster.client(cookie=mona["cookie"], process="web-1") as here,
        cluster.client(cookie=outsider["cookie"], process="web-1") as stranger,
    ):
        await stranger.join("general")
        for client in (there, here):
            assert (await client.join(room))["type"] == "ok"
        await there.post(room, "before")
        await here.event("message.posted")
        new = f"new-{name}"
        await asyncio.to_thread(cluster.shell, RENAME.format(name=name, new=new))
        renamed = {"type": "person.changed", "user": {"id": ada["id"], "name": new}}
        assert await here.event("person.changed", SECONDS) == renamed
        assert await there.event("person.changed", SECONDS) == renamed
        while not any(user["name"] == new for user in (await here.event("presence.changed", SECONDS))["joined"]):
            pass
        # A new join, a repeated read, and later messages of the same socket.
        again = await here.join(room)
        assert {user["name"] for user in again["present"]["users"]} == {new, f"mona-{room}"}
        assert [message["user"]["name"] for message in again["messages"]] == [new]
        await there.post(room, "after")
        assert (await here.event("message.posted"))["message"]["user"]["name"] == new
        # A private room's people are nobody's business outside of it.
        await stranger.request("ping")
        assert not [frame for frame in stranger.unread if frame["type"] == "person.changed"]


PROFILE = (
    OF + "user = of().objects.get(username={name!r}); user.shown_name = {new!r}; user.shown_status = 'here';"
    " user.shown_picture = 'ab' * 16; user.save()"
)


async def test_a_profile_is_on_all_processes_within_seconds(cluster: Cluster) -> None:
    name, room = f"ada-{uuid4().hex[:8]}", f"room-{uuid4().hex[:8]}"
    ada, mona = [await asyncio.to_thread(cluster.make_user, username) for username in (name, f"mona-{room}")]
    await asyncio.to_thread(cluster.shell, MAKE_ROOM.format(room=room, ids=[ada["id"], mona["id"]]))
    async with (
        cluster.client(cookie=ada["cookie"], process="web-2") as there,
        cluster.client(cookie=mona["cookie"], process="web-1") as here,
    ):
        for client in (there, here):
            assert (await client.join(room))["type"] == "ok"
        await there.post(room, "before")
        await here.event("message.posted")
        new = f"Ada {name}"
        await asyncio.to_thread(cluster.shell, PROFILE.format(name=name, new=new))
        message_user = {"id": ada["id"], "name": new, "picture": "ab" * 16}
        shown = {**message_user, "status": "here"}
        for client in (here, there):
            assert (await client.event("person.changed", SECONDS))["user"] == shown
        while shown not in (await here.event("presence.changed", SECONDS))["joined"]:
            pass
        again = await here.join(room)
        assert shown in again["present"]["users"]
        assert [message["user"] for message in again["messages"]] == [message_user]
        await there.post(room, "after")
        assert (await here.event("message.posted"))["message"]["user"] == message_user
    async with cluster.client(cookie=ada["cookie"], process="web-1") as later:
        assert later.hello["user"] == shown


async def test_a_body_of_50_mb_is_refused_with_a_sentence(cluster: Cluster) -> None:
    def send() -> tuple[int, str]:
        connection = UnixConnection(cluster.sockets["web-1"])
        connection.putrequest("POST", "/account/")
        connection.putheader("Content-Type", "multipart/form-data; boundary=b")
        connection.putheader("Content-Length", str(50_000_000))
        connection.endheaders()
        answer = connection.getresponse()  # Before any of the body.
        text = answer.read().decode()
        connection.close()
        return answer.status, text

    assert await asyncio.to_thread(send) == (413, "The request is too large: this site takes 2621440 bytes.\n")


def sign_up(process: Path, name: str) -> int:
    connection = UnixConnection(process)
    connection.request("GET", "/account/sign-up/")
    page = connection.getresponse()
    cookie = (page.getheader("Set-Cookie") or "").split(";")[0]
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.read().decode())
    assert token
    fields = {"csrfmiddlewaretoken": token[1], "username": name, "password1": PASSWORD, "password2": PASSWORD}
    headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/account/sign-up/", urlencode(fields), headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    assert answer.status == 302 or "This name is taken" in text
    return answer.status


async def test_one_of_two_look_alikes_signs_up_at_once_on_two_processes(cluster: Cluster) -> None:
    name = f"twin-{uuid4().hex[:8]}"
    processes = list(cluster.sockets.values())
    answers = [
        asyncio.to_thread(sign_up, *arguments)
        for arguments in zip(processes, (name, name.replace("i", "1")), strict=True)
    ]
    assert sorted(await asyncio.gather(*answers)) == [200, 302]
