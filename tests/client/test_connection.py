"""The connection of a client: sign-in, heartbeat, broken frames, and ends that it comes back from or not."""

import asyncio
import http
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.http11 import Request, Response

from hubbub.client import Client, ConnectionEnded, link
from tests.support.scripted_server import SECONDS, TOPIC, Peer, scripted
from tests.support.scripted_topics import client


async def gone(peer: Peer) -> None:
    await peer.admit()
    await peer.gone()


# The address


@pytest.mark.parametrize(
    "url",
    [
        "ftp://chat.example.org/ws/",
        "https://chat.example.org/live",
        "https://chat.example.org/live/?topic=room/general",
        "ws:///ws/",
        "wss://",
        "room/general",
        "",
        "wss://a.example:x/",
        "wss://u:p@a.example/",
    ],
)
def test_a_wrong_address_is_refused_at_once(url: str) -> None:
    with pytest.raises(ValueError):
        Client(url)


# Sign-in


async def test_a_refused_token_ends_the_client_at_once() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.send({"type": "auth.required", "within_ms": 5000})
        await peer.socket.recv()
        await peer.send({"type": "error", "code": "unauthorized", "detail": "the token is not valid"})
        await peer.socket.close(4001)

    async with scripted(conversation) as url:
        with pytest.raises(ConnectionEnded) as ended:
            async with client(url):
                raise AssertionError("it was admitted")
        assert ended.value.code == 4001
        assert str(ended.value) == "unauthorized: the token is not valid (4001)"


async def test_a_visitor_sends_an_empty_token() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit("", user={"id": None, "name": ""})
        await peer.gone()

    async with scripted(conversation) as url, Client(url) as hub:
        assert hub.user == {"id": None, "name": ""}


@pytest.mark.parametrize("code", [4001, 4002, 4003, 4005, 4006, 4008, 4009, 4099])
async def test_after_4000_to_4099_the_client_does_not_come_back(code: int) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.socket.close(code, "why")

    async with scripted(conversation) as url, client(url) as hub:
        with pytest.raises(ConnectionEnded, match=f"why \\({code}\\)"):
            await anext(hub.topic(TOPIC))
        assert not hub.is_connected


@pytest.mark.parametrize("code", [1000, 1001, 1011, 1012, 3000, 4100, 4101, 4103])
async def test_after_every_other_code_it_does(code: int) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.socket.close(code)

    async def back(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.gone()

    async with scripted(conversation, back) as url, client(url) as hub:
        assert (await anext(hub.topic(TOPIC)))["position"] == 1


async def test_another_version_of_the_protocol_ends_the_client() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit(protocol=3)
        await peer.gone()

    async with scripted(conversation) as url:
        with pytest.raises(ConnectionEnded, match="protocol 3"):
            await client(url).__aenter__()


# Handshakes


def answering(*statuses: int, **headers: str) -> Any:
    """Refuses handshakes by these HTTP statuses; then accepts."""
    left = list(statuses)

    def process(socket: ServerConnection, request: Request) -> Response | None:
        if not left:
            return None
        response = socket.respond(http.HTTPStatus(left.pop(0)), "no")
        for name, value in headers.items():
            response.headers[name.replace("_", "-")] = value
        return response

    return process


@pytest.mark.parametrize("status", [301, 400, 403, 404])
async def test_a_first_handshake_that_is_refused_ends_the_client(status: int) -> None:
    async with scripted(process_request=answering(status, status, Location="/elsewhere/")) as url:
        with pytest.raises(ConnectionEnded) as ended:
            await client(url).__aenter__()
        assert ended.value.code == status


@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_a_handshake_that_is_refused_for_now_is_tried_again(status: int) -> None:
    async with scripted(gone, process_request=answering(status, status)) as url, client(url) as hub:
        assert hub.is_connected


async def test_a_refusal_of_a_server_that_was_there_before_may_pass() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        statuses.append(404)
        peer.cut()

    statuses: list[int] = []

    def process(socket: ServerConnection, request: Request) -> Response | None:
        return socket.respond(http.HTTPStatus(statuses.pop()), "no") if statuses else None

    async def back(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.gone()

    async with scripted(conversation, back, process_request=process) as url, client(url) as hub:
        assert (await anext(hub.topic(TOPIC)))["position"] == 1
        assert statuses == []


async def test_a_server_that_does_not_say_hello_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "HELLO_SECONDS", 0.05)

    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with scripted(silent, gone) as url, client(url) as hub:
        await asyncio.sleep(0.1)  # It is no limit of a connection.
        assert hub.is_connected


# Broken frames

JOINED = '{"type": "ok", "ref": 1, "topic": "room/lounge", "epoch": "e1", "complete": true, '
BROKEN = [
    *("[]", "{", "", "null", "[" * 100_000, '{"no": "type"}', '{"type": 7}', b"\xff\xfe"),
    '{"type": "ok", "ref": 1, "topic": "room/lounge"}',
    *(JOINED + rest for rest in ('"position": "7", "events": []}', '"position": 1, "events": [7]}')),
    JOINED + '"position": 1, "events": [{"position": "x"}]}',
    '{"type": "ok", "ref": [1], "topic": "room/lounge"}',
    '{"type": "error", "ref": 1}',
    '{"type": "closed", "topic": "room/lounge", "ref": 1}',
    '{"type": "presence.changed", "topic": "room/lounge"}',
    '{"type": "person.changed", "user": 7}',
]


@pytest.mark.parametrize("broken", BROKEN, ids=range(len(BROKEN)))
async def test_after_a_broken_frame_the_client_connects_again(broken: str | bytes) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.command("join")
        await peer.send(broken)
        await peer.gone()

    async def back(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(5)
        await peer.gone()

    async with scripted(conversation, back) as url, client(url) as hub:
        async with asyncio.timeout(SECONDS):
            assert (await anext(hub.topic(TOPIC)))["position"] == 5


async def test_unknown_events_and_answers_are_ignored() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.send({"type": "of.tomorrow", "x": 1})
        await peer.send({"type": "said", "topic": "room/never-opened", "position": 3})
        await peer.send({"type": "ok", "ref": 99, "topic": TOPIC})
        await peer.send({"type": "pong", "ref": 98})
        await peer.send({"type": "error", "code": "invalid", "detail": "?"})
        await peer.joined(5)
        await peer.gone()

    async with scripted(conversation) as url, client(url) as hub:
        assert (await anext(hub.topic(TOPIC)))["position"] == 5
