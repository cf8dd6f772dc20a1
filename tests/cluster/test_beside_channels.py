"""Consumers of Channels share the application, the channel layer and the server with those of Hubbub."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus

from tests.support.client import opened
from tests.support.servers import Server, Site

pytestmark = pytest.mark.cluster

APPLICATION = "tests.support.channels_site:application"
SECONDS = 10.0


@dataclass(frozen=True)
class Place:
    kind: str
    servers: list[Server]
    cookie: str


@pytest.fixture(scope="module", params=["hubbub", "daphne", "uvicorn"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    site = Site(tmp_path_factory.mktemp("channels"))
    with site.serving(request.param, 2, APPLICATION) as servers:
        yield Place(request.param, servers, site.make_user("alice")["cookie"])


@asynccontextmanager
async def shouting(server: Server, path: str, cookie: str = "") -> AsyncIterator[ClientConnection]:
    headers = {"Cookie": f"sessionid={cookie}"} if cookie else {}
    address = f"{server.url.replace('http', 'ws')}{path}"
    async with connect(address, additional_headers=headers, open_timeout=SECONDS) as socket:
        yield socket


async def shout(socket: ClientConnection, text: str) -> None:
    await socket.send(json.dumps({"text": text}))


async def heard(socket: ClientConnection) -> Any:
    async with asyncio.timeout(SECONDS):
        return json.loads(await socket.recv())


async def test_a_group_of_channels_is_heard_on_both_processes_and_the_chat_goes_on(place: Place) -> None:
    (first, second), cookie = place.servers, place.cookie
    async with (
        opened(first.url, "/ws/chat/", cookie=cookie) as alice,
        opened(second.url, "/ws/chat/", cookie=cookie) as other,
        shouting(first, "/ws/shout/square/", cookie) as one,
        shouting(second, "/ws/anonymous/square/") as stranger,
        shouting(second, "/ws/old/") as old,
        shouting(second, "/ws/shout/market/", cookie) as elsewhere,
    ):
        for client in (alice, other):
            assert (await client.request("join", topic="room/general"))["type"] == "ok"
        await shout(one, "Hello")
        for socket in (one, stranger, old):
            assert await heard(socket) == {"text": "Hello", "user": "alice"}
        await shout(old, "Back")
        for socket in (one, stranger, old):
            assert await heard(socket) == {"text": "Back", "user": None}

        posted = await alice.request("message.post", topic="room/general", id="1" * 32, body="Tea?")
        assert posted["type"] == "ok", posted
        for client in (alice, other):
            assert (await client.event("message.posted"))["message"]["body"] == "Tea?"
        await shout(elsewhere, "Fish")
        # Frames are in order: none of the square or of the chat came before.
        assert await heard(elsewhere) == {"text": "Fish", "user": "alice"}
        await shout(one, "Bye")
        assert [(await heard(socket))["text"] for socket in (one, stranger, old)] == ["Bye"] * 3
        for client in (alice, other):
            assert (await client.request("ping"))["type"] == "pong"
            assert [frame["type"] for frame in client.unread if frame["type"] != "presence.changed"] == []


async def test_a_socket_on_an_unknown_path_gets_404_beside_them(place: Place) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with shouting(place.servers[0], "/ws/shout/"):
            pass
    assert refused.value.response.status_code == (403 if place.kind == "daphne" else 404)


def test_the_sockets_of_the_site_have_names_outside_of_its_servers(tmp_path: Path) -> None:
    names = Site(tmp_path).shell(
        """
        from hubbub.asgi.routes import socket_routes
        print(*(f"{name}={route.pattern}" for name, route in socket_routes().items()))
        """
    )
    assert names == "chat=ws/chat/ monitor=ws/monitor/"
