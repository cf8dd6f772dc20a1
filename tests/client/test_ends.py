"""A client that is closed or cancelled leaves nothing; observers; the package."""

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from hubbub.client import Observer, socket_wire
from tests.support.scripted_server import SECONDS, TOPIC, Frame, Peer, scripted
from tests.support.scripted_topics import client
from tests.support.servers import ROOT


async def gone(peer: Peer) -> None:
    await peer.admit()
    await peer.gone()


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
    monkeypatch.setattr(socket_wire, "CLOSE_SECONDS", 0.1)

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


class WrongReader(Observer):
    def received(self, frame: Frame) -> None:
        if frame["type"] == "said":
            raise ZeroDivisionError


class WrongSender(Observer):
    def sent(self, frame: Frame) -> None:
        if frame["type"] == "ping":
            raise ZeroDivisionError


class WrongAtTheEnd(Observer):
    def ended(self, code: int, reason: str) -> None:
        raise ZeroDivisionError


@pytest.mark.parametrize("wrong", [WrongReader, WrongSender, WrongAtTheEnd])
async def test_an_observer_that_fails_ends_the_client(wrong: type[Observer]) -> None:
    async def conversation(peer: Peer) -> None:
        await peer.admit(heartbeat_ms=50)
        await peer.joined(1)
        if wrong is WrongReader:
            await peer.events(2)
        if wrong is WrongAtTheEnd:
            peer.cut()
        await peer.gone()

    async with scripted(conversation) as url, client(url, observer=wrong()) as hub, asyncio.timeout(SECONDS):
        room = hub.topic(TOPIC)
        await anext(room)
        with pytest.raises(ZeroDivisionError):
            await anext(room)


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
