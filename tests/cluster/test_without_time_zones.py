"""A project of its own in New York with USE_TZ off, with copies of chat and monitor, on two processes."""

import asyncio
import re
import textwrap
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.support.client import opened
from tests.support.own_project import OwnProject
from tests.support.revocation import ENDED
from tests.support.servers import ROOT, Server

pytestmark = pytest.mark.cluster

DOCUMENT = (ROOT / "docs" / "chat-and-monitor.md").read_text()
URLS, ASGI = (
    re.search(rf"^```python\n(# mysite/{name}.py\n.*?)^```", DOCUMENT, re.S | re.M)[1]  # type: ignore[index]
    for name in ("urls", "asgi")
)
SETTINGS = """
INSTALLED_APPS += ["chat", "monitor"]
USE_TZ = False
TIME_ZONE = "America/New_York"
LOGIN_URL = "login"
HUBBUB.pop("TOKEN_SCOPES")
"""
SECONDS = 8  # Until a token or a ban ends: enough for the program that sets it.
LATE = 2.0


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> OwnProject:
    return OwnProject(
        tmp_path_factory.mktemp("naive"),
        settings=SETTINGS,
        files={"mysite/urls.py": URLS, "mysite/asgi.py": ASGI},
        copied=["chat", "monitor"],
    )


@pytest.fixture(scope="module")
def servers(project: OwnProject) -> Iterator[list[Server]]:
    with project.serving("hubbub", 2, "mysite.asgi:application") as servers:
        yield servers
        for server in servers:
            assert "Traceback" not in server.log.read_text()


async def user(project: OwnProject) -> dict[str, str]:
    return await asyncio.to_thread(project.make_user, f"user-{uuid4().hex[:8]}")


async def room(project: OwnProject) -> str:
    slug = f"room-{uuid4().hex[:8]}"
    await shell(project, f"services.create_room(slug={slug!r}, title='Room')")
    return slug


async def shell(project: OwnProject, code: str) -> str:
    names = """
        from datetime import datetime, timedelta
        from django.contrib.auth.models import User
        from django.utils import timezone
        from chat import services
        from chat.models import Room
        from hubbub.auth.tokens import create_token
        from hubbub.process import as_stored, utc
        """
    return await asyncio.to_thread(project.shell, textwrap.dedent(names) + code)


def age(text: str) -> float:
    """How many seconds ago the time on the wire was. A time without a zone fails."""
    return (datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds()


async def test_times_on_the_wire_are_in_utc(project: OwnProject, servers: list[Server]) -> None:
    ada, slug = await user(project), await room(project)
    async with (
        opened(servers[0].url, cookie=ada["cookie"]) as one,
        opened(servers[1].url, cookie=ada["cookie"]) as other,
    ):
        assert abs(age(one.hello["server_time"])) < 5
        for socket in (one, other):
            assert (await socket.join(slug))["type"] == "ok"
        posted = await one.post(slug, "hello")
        assert 0 <= age(posted["at"]) < 5
        message = (await other.event("message.posted"))["message"]
        assert message["at"] == posted["at"]
        edited = await one.ask(slug, "message.edit", seq=posted["seq"], body="bye")
        assert edited["type"] == "ok"
        assert 0 <= age((await other.event("message.edited"))["message"]["edited_at"]) < 5
    async with opened(servers[1].url, cookie=ada["cookie"]) as later:  # From the database.
        assert (await later.join(slug))["messages"][0]["at"] == posted["at"]


async def test_a_token_that_expires_closes_its_socket_then(project: OwnProject, servers: list[Server]) -> None:
    ada = await user(project)
    made = f"""
until = timezone.now() + timedelta(seconds={SECONDS})
print(create_token(user=User.objects.get(pk={ada["id"]}), name="t", expires_at=until)[1], utc(until).timestamp())
"""
    token, ends_at = (await shell(project, made)).split()
    async with opened(servers[0].url, token=token) as socket:
        assert await socket.closed() == ENDED
        assert 0 <= time.time() - float(ends_at) < LATE


async def test_a_ban_ends_at_its_end(project: OwnProject, servers: list[Server]) -> None:
    ada, slug = await user(project), await room(project)
    async with opened(servers[0].url, cookie=ada["cookie"]) as socket:
        await socket.join(slug)
        until = datetime.now(UTC) + timedelta(seconds=SECONDS)
        ban = f"""
until = as_stored(datetime.fromisoformat({until.isoformat()!r}))
services.set_membership(room_id=Room.objects.get(slug={slug!r}).pk, user_id={ada["id"]!r}, banned_until=until)
"""
        await shell(project, ban)
        assert (await socket.event("closed"))["code"] == "banned"
        while (await socket.join(slug))["type"] == "error":
            assert datetime.now(UTC) < until + timedelta(seconds=LATE)
            await asyncio.sleep(0.25)
        assert datetime.now(UTC) >= until
