"""The connection of a client: sign-in, heartbeat, broken frames, and ends that it comes back from or not."""

import asyncio
import http
import subprocess
import sys
import time
from contextlib import suppress
from random import Random
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from hubbub.client import Client, ConnectionEnded, Observer, connection, endings, link, timing
from hubbub.protocol import from_json
from tests.support.scripted_server import SECONDS, TOPIC, Frame, Peer, scripted
from tests.support.servers import ROOT

POSTS = 30


def client(url: str, **options: Any) -> Client:
    return Client(url, token="hub_x", **options)


async def gone(peer: Peer) -> None:
    await peer.admit()
    await peer.gone()


# The address


@pytest.mark.parametrize(
    "url",
    [
        "http://chat.example.org/ws/",
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


# Heartbeat


async def test_a_silent_server_is_pinged_and_one_that_answers_is_kept() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=20)
        for _ in range(3):
            ping = await peer.command("ping")
            await peer.send({"type": "pong", "ref": ping["ref"]})
        pinged.set()
        await peer.gone()

    pinged = asyncio.Event()

    async with scripted(conversation) as url, client(url) as hub:
        async with asyncio.timeout(SECONDS):
            await pinged.wait()
        assert hub.is_connected


async def test_a_server_without_a_pong_is_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "PONG_SECONDS", 0.1)

    async def dead(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=20)
        await peer.joined(1)
        await peer.command("ping")
        assert await peer.gone() == []

    async def back(peer: Peer) -> None:
        await peer.admit()
        assert (await peer.resumed(2, 2))["after"] == 1
        await peer.gone()

    async with scripted(dead, back) as url, client(url) as hub:
        room = hub.topic(TOPIC)
        async with asyncio.timeout(SECONDS):
            assert [(await anext(room))["position"] for _ in range(2)] == [1, 2]


async def answer_pings(peer: Peer, seconds: float = 0) -> None:
    with suppress(ConnectionClosed):
        while True:
            frame = from_json(await peer.socket.recv())
            await asyncio.sleep(seconds)
            await peer.send({"type": "pong", "ref": frame["ref"]})


async def test_a_program_that_was_stopped_for_a_while_keeps_its_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its timers are due before it has read what arrived meanwhile."""
    monkeypatch.setattr(connection, "PONG_SECONDS", 0.05)
    monkeypatch.setattr(connection, "LATE_SECONDS", 0.02)

    async def conversation(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=10)
        await answer_pings(peer, 0.015)

    async with scripted(conversation) as url, client(url) as hub:
        for pause in range(6):
            await asyncio.sleep(pause * 0.005)  # Before and after a ping.
            time.sleep(0.1)  # noqa: ASYNC251 - that is the point
        await asyncio.sleep(0.05)
        assert hub.is_connected


@pytest.mark.slow
async def test_a_link_on_which_bytes_still_leave_is_slow_and_not_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    # More than the kernel's buffers need to empty.
    monkeypatch.setattr(connection, "PONG_SECONDS", 1.2)

    async def slow(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=20, limits={"frame_bytes": 1 << 20})
        posts: list[Frame] = []
        while len(posts) < POSTS:
            frame = from_json(await peer.socket.recv())
            if frame["type"] == "message.post":
                posts.append(frame)
                await asyncio.sleep(0.1)
        for post in posts:
            await peer.answer(post)
        await answer_pings(peer)

    options = {"max_queue": 1, "max_size": None}
    async with scripted(slow, **options) as url, client(url) as hub, asyncio.timeout(30):
        posts = (hub.send(TOPIC, "message.post", id=str(number), body="x" * 900_000) for number in range(POSTS))
        assert await asyncio.gather(*posts) == [None] * POSTS


# Ends by the program


async def test_a_client_that_is_cancelled_while_it_connects_leaves_nothing() -> None:
    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with scripted(silent) as url:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1), client(url):
                raise AssertionError("it was admitted")
        assert tasks_of_clients() == set()


def tasks_of_clients() -> set[str]:
    """The tasks of this event loop that have not ended, by the names of their coroutines in `hubbub.client`."""
    coroutines: list[Any] = [task.get_coro() for task in asyncio.all_tasks() if not task.done()]
    return {each.__qualname__ for each in coroutines if "/hubbub/client/" in each.cr_code.co_filename}


async def test_when_the_client_is_closed_all_its_tasks_have_ended() -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.refuse(await peer.command("join"), "not_found")
        frames = await peer.gone()
        assert [frame["type"] for frame in frames] == ["slow"]
        assert peer.socket.close_code == 1000

    async with scripted(conversation) as url:
        hub = client(url)
        async with hub:
            assert tasks_of_clients() == {"Link._run", "Connection._watch"}
            await anext(hub.topic(TOPIC))
            hub.topic("room/none")
            sending = asyncio.create_task(hub.send(TOPIC, "slow", retry=True))
            assert tasks_of_clients() >= {"Feed._stay_joined", "Client.send"}
            await asyncio.sleep(0.02)
        assert tasks_of_clients() <= {"Client.send"}  # It is the program's own.
        await hub.close()
        with pytest.raises(ConnectionError):
            await sending
        with pytest.raises(RuntimeError, match="once"):
            await hub.__aenter__()


async def test_a_server_that_does_not_close_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "CLOSE_SECONDS", 0.1)

    async def stuck(peer: Peer) -> None:
        await peer.admit()
        peer.socket.transport.pause_reading()
        await released.wait()

    released = asyncio.Event()
    async with scripted(stuck, close_timeout=0.1) as url:
        async with asyncio.timeout(0.9), client(url):
            pass
        released.set()


# Observers


async def test_an_observer_sees_all_frames_and_ends_but_no_token() -> None:
    seen: list[Any] = []

    class Notes(Observer):
        def sent(self, frame: Frame) -> None:
            seen.append(("sent", frame["type"]))

        def received(self, frame: Frame) -> None:
            seen.append(("received", frame["type"]))

        def ended(self, code: int, reason: str) -> None:
            seen.append((code, reason))

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.events(2, 2)
        await peer.socket.close(1012, "Restart")

    async with scripted(conversation, gone) as url, client(url, observer=Notes()) as hub:
        room = hub.topic(TOPIC)
        await anext(room)
        async with asyncio.timeout(SECONDS):
            while len(seen) < 10:
                await asyncio.sleep(0.005)
    received = [("received", kind) for kind in ("auth.required", "hello", "ok", "said", "said")]
    assert seen[:7] == [*received[:2], ("sent", "join"), *received[2:], (1012, "Restart")]


async def test_an_observer_that_fails_ends_the_client() -> None:
    class Wrong(Observer):
        def received(self, frame: Frame) -> None:
            if frame["type"] == "said":
                raise ZeroDivisionError

    async def conversation(peer: Peer) -> None:
        await peer.admit()
        await peer.joined(1)
        await peer.events(2)
        await peer.gone()

    async with scripted(conversation) as url, client(url, observer=Wrong()) as hub:
        room = hub.topic(TOPIC)
        await anext(room)
        with pytest.raises(ZeroDivisionError):
            await anext(room)


# Times


def test_the_back_off_doubles_up_to_20_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()

    class Longest(Random):
        def random(self) -> float:
            return 1.0

    waits = [timing.back_off(tries, Longest()) for tries in (0, 1, 2, 5, 6, 1000)]
    assert waits == [0.5, 1.0, 2.0, 16.0, 20.0, 20.0]
    assert all(0 <= timing.back_off(3, Random(seed)) <= 4 for seed in range(50))


def test_the_back_off_starts_anew_after_five_seconds_or_a_restart() -> None:
    def is_fresh(code: int, seconds: float) -> bool:
        return endings.by_close(code, "", None, seconds).is_fresh

    assert [is_fresh(1006, seconds) for seconds in (-1, 0, 4.9, 5)] == [False, False, False, True]
    assert [is_fresh(1012, seconds) for seconds in (-1, 0)] == [False, True]


def test_the_client_waits_as_long_as_the_server_asks() -> None:
    refusal = {"type": "error", "code": "rate_limited", "detail": "slowly", "retry_after_ms": 9_000}
    assert endings.by_close(4102, "", refusal, 1).calm_seconds == 9
    assert endings.by_close(4102, "", None, 1).calm_seconds == 5
    assert endings.by_close(4103, "", {**refusal, "retry_after_ms": 10**9}, 1).calm_seconds == 600
    assert endings.by_close(1006, "", None, 1).calm_seconds == 0
    assert endings.by_status(503, "5", is_first=True).calm_seconds == 5
    assert endings.by_status(503, "Fri, 27 Nov 2026 23:00:00 GMT", is_first=True).calm_seconds == 0


# The package


@pytest.mark.slow
def test_the_client_needs_no_django_and_no_settings() -> None:
    code = """
import sys
sys.modules["django"] = sys.modules["channels"] = sys.modules["redis"] = None
import hubbub.client
from hubbub.client import *
print([name for name in sys.modules if name.split(".")[0] == "hubbub" and ".client" not in name])
"""
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    used = ["hubbub", "hubbub.process", "hubbub.process.lazy_names", "hubbub.process.extras", "hubbub.protocol"]
    assert sorted(eval(ran.stdout)) == sorted(used)


@pytest.mark.slow
@pytest.mark.parametrize("use", ["from hubbub.client import Client", "import hubbub.client; hubbub.client.Client"])
def test_without_its_extra_the_client_says_what_to_install(use: str) -> None:
    code = f"import sys; sys.modules['websockets'] = None\n{use}"
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, env={}, capture_output=True, text=True, timeout=60)
    last = ran.stderr.splitlines()[-1]
    assert last == 'ImportError: hubbub.client needs websockets: pip install "django-hubbub[client]"'
