"""Consumers that a test drives itself, by Channels' communicator: refused without services, or within `served()`."""

import logging
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from channels.testing import WebsocketCommunicator
from django.conf import settings as site_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import Permission
from django.test import TransactionTestCase

from hubbub import live, site
from hubbub.consumers import handshake
from hubbub.process.metrics import COUNTERS
from hubbub.publish import process_sender
from hubbub.runtime import runtime
from hubbub.testing import published, served
from tests.hubbub.test_testing import make_poll, make_voter
from tests.support.polls.consumers import PollsConsumer
from tests.support.polls.models import Poll
from tests.support.polls.topics import PollTopic
from tests.support.shouting import ShoutConsumer

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def new_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As at the start of a process; nothing may be sent to Redis."""

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("something was sent to Redis")

    monkeypatch.setattr(process_sender, "_with_sender", fail)
    monkeypatch.setattr(site, "_site", None)
    handshake.log_not_served.cache_clear()
    yield
    handshake.log_not_served.cache_clear()


def socket_of(user: Any, consumer: Any = PollsConsumer, **scope: Any) -> WebsocketCommunicator:
    session = import_module(site_settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = user._meta.pk.value_to_string(user)
    session[BACKEND_SESSION_KEY] = site_settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    headers = {"cookie": f"sessionid={session.session_key}", "host": "localhost", "origin": "http://localhost"}
    communicator = WebsocketCommunicator(
        consumer.as_asgi(), "/ws/", [(name.encode(), value.encode()) for name, value in headers.items()]
    )
    communicator.scope |= scope
    return communicator


async def opened(socket: WebsocketCommunicator) -> WebsocketCommunicator:
    connected, _ = await socket.connect()
    assert connected
    assert (await socket.receive_json_from())["type"] == "hello"
    return socket


async def frame(socket: WebsocketCommunicator, type: str) -> Any:
    while (got := await socket.receive_json_from(3))["type"] != type:
        pass
    return got


async def test_a_socket_without_services_is_refused_and_the_log_says_so_once(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    user = await sync_to_async(make_voter)("alice")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            socket = await sync_to_async(socket_of)(user, live(PollTopic))
            assert (await socket.connect())[0] is False
        socket = await sync_to_async(socket_of)(user, extensions={"websocket.http.response": {}})
        await socket.send_input({"type": "websocket.connect"})
        assert (await socket.receive_output())["status"] == 500
        await socket.wait()
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "wrap the application in hubbub.asgi.application(http, routes)" in caplog.text
    assert COUNTERS.sockets == 0


async def test_sockets_in_a_served_loop_see_votes_rows_presence_and_revocations(
    transactional_db: None, caplog: pytest.LogCaptureFixture
) -> None:
    alice, bob = [await sync_to_async(make_voter)(name) for name in ("alice", "bob")]
    poll, option = await sync_to_async(make_poll)()
    layer = get_channel_layer()
    with caplog.at_level(logging.WARNING):
        async with served():
            pages = [await opened(await sync_to_async(socket_of)(user)) for user in (alice, bob)]
            for ref, page in enumerate(pages):
                for topic in (f"poll/{poll.pk}", "board/plan"):
                    await page.send_json_to({"type": "join", "ref": ref, "topic": topic})
                    assert (await frame(page, "ok"))["ref"] == ref
            while "bob" not in [user["name"] for user in (await frame(pages[0], "presence.changed"))["joined"]]:
                pass
            await pages[0].send_json_to({"type": "vote", "ref": 9, "topic": f"poll/{poll.pk}", "option": option})
            for page in pages:
                assert (await frame(page, "changed"))["state"]["bars"][0]["n"] == 1

            with published() as frames:
                await Poll.objects.aget(pk=poll.pk)
                poll.question = "Coffee?"
                await poll.asave()
            assert [each["type"] for each in frames] == ["changed"]
            assert (await frame(pages[1], "changed"))["state"]["question"] == "Coffee?"

            await bob.user_permissions.aremove(await Permission.objects.aget(codename="view_poll"))
            assert (await frame(pages[1], "closed"))["code"] == "forbidden"
            for page in pages:
                await page.disconnect()
    assert [record.name for record in caplog.records] == ["hubbub.security"]  # Bob was evicted.
    assert get_channel_layer() is layer
    assert (runtime().is_served, site._site, COUNTERS.sockets) == (False, None, 0)


async def test_consumers_of_channels_have_their_groups_beside_them(transactional_db: None) -> None:
    alice = await sync_to_async(make_voter)("alice")
    place = {"url_route": {"kwargs": {"place": "square"}}}
    async with served():
        sockets = [await sync_to_async(socket_of)(alice, ShoutConsumer, **place) for _ in range(2)]
        for socket in sockets:
            assert (await socket.connect())[0]
        await sockets[0].send_json_to({"text": "Hello"})
        for socket in sockets:
            assert (await socket.receive_json_from())["text"] == "Hello"
            await socket.disconnect()


class InTransactions(TransactionTestCase):
    async def test_twice_in_one_loop(self) -> None:
        alice = await sync_to_async(make_voter)("alice")
        poll, _ = await sync_to_async(make_poll)()
        for _ in range(2):
            async with served():
                socket = await opened(await sync_to_async(socket_of)(alice, live(PollTopic)))
                await socket.send_json_to({"type": "join", "ref": 1, "topic": f"poll/{poll.pk}"})
                assert (await frame(socket, "ok"))["ref"] == 1
                await poll.asave()
                await frame(socket, "changed")
                await socket.disconnect()
