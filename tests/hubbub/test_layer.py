"""The channel layer against a Redis that is stopped, hung and started again."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as RedisConnectionError

from hubbub import site
from hubbub.delivery.layer import RedisPubSubLayer
from hubbub.process.metrics import COUNTERS
from hubbub.site import NO_MARK
from hubbub.supervisor import private_redis

pytestmark = pytest.mark.slow


class Watcher:
    """A watcher that remembers."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def lost(self) -> None:
        self.events.append("lost")

    def regained(self) -> None:
        self.events.append("regained")

    def overflowed(self) -> None:
        self.events.append("overflowed")


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> float:
    """Wait for it; how many seconds that took."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
    return time.monotonic() - began


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "redis.sock"


@pytest.fixture
async def layer(path: Path) -> AsyncIterator[Any]:
    new = RedisPubSubLayer(hosts=[{"address": f"unix://{path}", "socket_timeout": 1.0}], capacity=50)
    yield new
    await new.flush()


@pytest.fixture
def watcher() -> Watcher:
    return Watcher()


async def test_a_message_right_after_the_subscription_arrives(path: Path, layer: Any) -> None:
    with private_redis.running(path):
        channel = await layer.new_channel()
        async with Redis(unix_socket_path=str(path)) as other:
            for number in range(200):
                await layer.group_add(f"g{number}", channel)
                # By another connection: nothing but the confirmation puts it after the subscription.
                assert await other.publish(f"hubbub__group__g{number}", NO_MARK + layer.serialize({"n": number})) == 1
                assert (await layer.receive(channel))["n"] == number


async def test_a_restart_is_reported_and_all_groups_are_subscribed_again(
    path: Path, layer: Any, watcher: Watcher
) -> None:
    layer.watch(watcher)
    with private_redis.running(path):
        channel = await layer.new_channel()
        for number in range(1200):  # More than go into one command.
            layer._get_layer().groups.setdefault(f"asgi__group__g{number}", set())
        await asyncio.gather(*(layer.group_add(f"g{number}", channel) for number in range(1200)))
        assert watcher.events == ["regained"]
    await until(lambda: watcher.events == ["regained", "lost"], 1)
    with pytest.raises(RedisConnectionError):
        await layer.group_send("g7", {"n": 0})
    with private_redis.running(path):
        assert await until(lambda: watcher.events[-1] == "regained") < 1
        for number in (0, 499, 500, 1199):
            await layer.group_send(f"g{number}", {"n": number})
            assert (await layer.receive(channel))["n"] == number
        assert watcher.events == ["regained", "lost", "regained"]


async def test_a_hung_redis_is_noticed_within_five_seconds(path: Path, layer: Any, watcher: Watcher) -> None:
    layer.watch(watcher)
    with private_redis.running(path) as pid:
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        os.kill(pid, signal.SIGSTOP)
        try:
            assert await until(lambda: watcher.events[-1] == "lost") < 6.5  # Four, and what a busy machine is late.
            # Neither subscribing nor leaving waits for it for long.
            began = time.monotonic()
            await layer.group_add("h", channel)
            await layer.group_discard("g", channel)
            assert time.monotonic() - began < 5
        finally:
            os.kill(pid, signal.SIGCONT)
        assert await until(lambda: watcher.events[-1] == "regained") < 5
        await layer.group_send("g", {"n": 1})
        await layer.group_send("h", {"n": 2})
        assert (await layer.receive(channel))["n"] == 2


async def test_a_redis_that_is_away_at_the_start_is_found_when_it_comes(
    path: Path, layer: Any, watcher: Watcher
) -> None:
    layer.watch(watcher)
    async with asyncio.timeout(2):
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
    assert watcher.events == ["lost"]
    with private_redis.running(path):
        assert await until(lambda: watcher.events[-1] == "regained") < 2
        await layer.group_send("g", {"n": 1})
        assert (await layer.receive(channel))["n"] == 1


async def test_an_idle_connection_is_kept(path: Path, layer: Any, watcher: Watcher) -> None:
    layer.watch(watcher)
    with private_redis.running(path):
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        await asyncio.sleep(6.5)  # Longer than any time limit of it or of redis-py.
        await layer.group_send("g", {"n": 1})
        assert (await layer.receive(channel))["n"] == 1
    assert watcher.events[:1] == ["regained"]
    assert watcher.events.count("regained") == 1


async def test_messages_without_a_receiver_are_dropped_and_logged(path: Path, layer: Any, watcher: Watcher) -> None:
    layer.watch(watcher)
    with private_redis.running(path):
        channel = await layer.new_channel()
        await layer.group_add("g", channel)
        before = COUNTERS.layer_overflows
        for number in range(60):
            await layer.group_send("g", {"n": number})
        await until(lambda: "overflowed" in watcher.events)
        assert COUNTERS.layer_overflows == before + 1
        assert layer._get_layer().channels[channel].qsize() < 50
        # It goes on with what comes afterwards.
        await layer.group_send("g", {"n": "last"})
        async with asyncio.timeout(5):
            while (await layer.receive(channel))["n"] != "last":
                pass


@pytest.mark.parametrize("name", ["", "with space", "umläut", "a" * 100, "new\nline"])
async def test_a_name_that_is_none_is_refused(layer: Any, name: str) -> None:
    with pytest.raises(ValueError):
        await layer.group_add(name, "channel")
    with pytest.raises(ValueError):
        await layer.group_send(name, {})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("call", ["new_channel", "group_send"])
async def test_a_program_without_services_reads_the_prefix_with_its_first_call(
    layer: Any, redis: Any, settings: Any, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    """Such as a view under WSGI that sends to a group of Channels."""
    settings.HUBBUB = settings.HUBBUB | {"PREFIX": ""}
    monkeypatch.setattr(site, "_site", None)
    monkeypatch.setattr(site, "is_served", False)
    await getattr(layer, call)(*(("square", {"type": "x"}) if call == "group_send" else ()))
    assert site.prefix().startswith("hubbub-")
