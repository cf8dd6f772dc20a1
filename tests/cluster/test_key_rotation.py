"""Two processes in the middle of a change of SECRET_KEY: each signs by a key of its own and accepts the other one's."""

import asyncio
import urllib.request
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.client import opened
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

OLD, NEW = "the key of before in this test", "the key from now on in this test"
FORGET_MONA = """
from django.contrib.auth import SESSION_KEY, get_user_model
from django.contrib.sessions.models import Session
mona = str(get_user_model().objects.get(username="mona").pk)
keys = [session.pk for session in Session.objects.all() if session.get_decoded().get(SESSION_KEY) == mona]
Session.objects.filter(pk__in=keys)._raw_delete("default")
"""


def open_page(server: Server, cookie: str) -> tuple[int, str]:
    """The status, and the session that the browser has from now on."""
    request = urllib.request.Request(f"{server.url}/", headers={"Cookie": f"sessionid={cookie}"})
    with urllib.request.urlopen(request, timeout=20) as answer:
        assert answer.url == f"{server.url}/", "sent to the sign-in"
        given = [header for header in answer.headers.get_all("Set-Cookie") or [] if header.startswith("sessionid=")]
        return answer.status, given[0].partition(";")[0].partition("=")[2] if given else cookie


async def test_a_socket_under_the_old_key_stays_while_pages_sign_its_session_anew(tmp_path: Path) -> None:
    site = Site(tmp_path, SECRET_KEY=OLD, HUBBUB_REVALIDATE_SECONDS="0.5")
    alice, mona = site.make_user("alice")["cookie"], site.make_user("mona")["cookie"]
    site.shell("from chat import services; services.create_room(slug='hall', title='Hall')")
    with ExitStack() as servers:
        ours = [
            Server(site, "hubbub", "web-1", SECRET_KEY=NEW, SECRET_KEY_FALLBACKS=OLD),
            Server(site, "hubbub", "web-2", SECRET_KEY=OLD, SECRET_KEY_FALLBACKS=f"unused, {NEW}"),
        ]
        for cookie in ours:
            servers.callback(cookie.stop)
        for cookie in ours:
            cookie.wait_until_ready()
        async with (
            opened(ours[0].url, "/ws/chat/", cookie=alice) as first,
            opened(ours[1].url, "/ws/chat/", cookie=alice) as second,
            opened(ours[0].url, "/ws/chat/", cookie=mona) as mona_first,
            opened(ours[1].url, "/ws/chat/", cookie=mona) as mona_second,
        ):
            for server in (*ours, ours[0]):
                assert await asyncio.to_thread(open_page, server, alice) == (200, alice)
            # No signal tells of this: when it has been noticed, each process has looked at everybody once more.
            await asyncio.to_thread(site.shell, FORGET_MONA)
            for client in (mona_first, mona_second):
                assert (await client.closed(30))[0] == 4003
            for client in (first, second):
                assert (await client.join("hall"))["type"] == "ok"
                assert (await client.post("hall", "still here"))["type"] == "ok"
