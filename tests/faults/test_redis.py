"""A conversation goes on without loss during faults of Redis and of the way to it."""

import asyncio
import time
from collections.abc import Iterator
from contextlib import suppress

import pytest

from chaos.log import Log
from chaos.recording import Recorder
from tests.support.cluster import Cluster, until
from tests.support.conversation import Talk, talking
from tests.support.proxy import Proxy
from tests.support.redis_server import OwnRedis
from tests.support.stats import note

pytestmark = pytest.mark.cluster

# Two seconds from one comparison with the database to the next, and the repair: three are promised. Two silent pings
# and a moment of grace until pages are told of a Redis that hangs: five are promised. The rest is for a busy machine.
FOUND_SECONDS = 4.5
HANGS_SECONDS = 7.0


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnRedis]:
    with OwnRedis(tmp_path_factory.mktemp("redis") / "redis.sock") as redis_server:
        yield redis_server


@pytest.fixture(scope="module")
def proxy(redis: OwnRedis) -> Iterator[Proxy]:
    with Proxy(redis.path) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def site(redis: OwnRedis, proxy: Proxy, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """Two processes that reach Redis through the proxy; at first there is none."""
    proxy.go_away()
    with Cluster(tmp_path_factory.mktemp("redis-faults"), processes=2, REDIS_URL=proxy.url) as cluster:
        yield cluster


@pytest.fixture
async def healthy(site: Cluster, redis: OwnRedis, proxy: Proxy) -> Cluster:
    """Redis is there, and every process knows."""
    redis.thaw()
    redis.start()
    proxy.pass_on()
    cookie = (await asyncio.to_thread(site.make_user, "watcher"))["cookie"]
    for process in site.sockets:
        async with site.client(cookie=cookie, process=process) as client:
            if client.hello["state"] != "ok":
                assert (await client.event("service.changed"))["state"] == "ok"
    return site


def states_since(log: Log, since: float) -> list[tuple[str, float]]:
    """The states of the service that a client received, with seconds after `since`."""
    return [(frame["state"], at - since) for at, frame in log.events("service.changed") if at >= since]


def state_of(member: Recorder) -> str:
    """The state of the service that a client knows."""
    changes = member.log.events("service.changed")
    return str(changes[-1][1]["state"] if changes else member.hello["state"])


async def time_until_all_have(talk: Talk, state: str, since: float, seconds: float) -> float:
    """Wait until all clients have the state; return the longest delay in seconds since `since`."""

    def times() -> list[float]:
        return [at for member in talk.everybody for said, at in states_since(member.log, since) if said == state]

    await until(lambda: len(times()) == len(talk.everybody), seconds)
    note(f"told {state} after", max(times()))
    return max(times())


def assert_nobody_was_cut(talk: Talk) -> None:
    assert [member.log.ends for member in talk.everybody] == [[]] * len(talk.everybody)


def longest_answer(talk: Talk) -> float:
    """The longest that a post took to be acknowledged, all of which were at the first try."""
    assert all(len(sent.answers) == 1 for sent in talk.sent)
    return max(sent.answers[0].after_seconds for sent in talk.sent)


async def test_processes_start_and_serve_without_redis_and_find_it_when_it_comes(
    site: Cluster, redis: OwnRedis, proxy: Proxy
) -> None:
    redis.stop()
    proxy.go_away()
    async with talking(site) as talk:
        # A process that has not tried yet finds out while its first sockets are there.
        await until(lambda: {state_of(member) for member in talk.everybody} == {"degraded"}, 5)
        await talk.say(20)
        redis.start()
        there = time.monotonic()
        proxy.pass_on()
        assert await time_until_all_have(talk, "ok", there, 5) < 2
        await talk.say(20)
        await talk.whole()
        assert max(talk.delays()) < FOUND_SECONDS
        assert_nobody_was_cut(talk)


async def test_redis_is_stopped_for_three_seconds(healthy: Cluster, redis: OwnRedis, proxy: Proxy) -> None:
    async with talking(healthy) as talk:
        await talk.say(20)
        gone = time.monotonic()
        redis.stop()
        proxy.go_away()
        await talk.say(60)  # Three seconds.
        redis.start()
        there = time.monotonic()
        proxy.pass_on()
        assert await time_until_all_have(talk, "degraded", gone, 1) < 2
        assert await time_until_all_have(talk, "ok", there, 5) < 2
        await talk.say(20)
        await talk.whole()
        assert longest_answer(talk) < 2
        assert max(talk.delays()) < FOUND_SECONDS
        assert_nobody_was_cut(talk)


async def test_redis_is_killed_and_restarted_at_once(healthy: Cluster, redis: OwnRedis) -> None:
    async with talking(healthy) as talk:
        await talk.say(20)
        redis.kill()
        redis.start()
        await talk.say(40)
        await talk.whole()
        assert longest_answer(talk) < 2
        assert max(talk.delays()) < FOUND_SECONDS
        assert_nobody_was_cut(talk)


async def test_redis_hangs_for_ten_seconds(healthy: Cluster, redis: OwnRedis) -> None:
    async with talking(healthy) as talk:
        await talk.say(20)
        hung = time.monotonic()
        redis.freeze()
        assert await time_until_all_have(talk, "degraded", hung, 10) < HANGS_SECONDS
        await until(lambda: time.monotonic() > hung + 10)
        back = time.monotonic()
        redis.thaw()
        assert await time_until_all_have(talk, "ok", back, 5) < 3
        await talk.say(20)
        await talk.whole()
        assert longest_answer(talk) < 3
        assert max(talk.delays()) < FOUND_SECONDS
        assert_nobody_was_cut(talk)


async def test_redis_loses_everything_in_it(healthy: Cluster, redis: OwnRedis) -> None:
    async with talking(healthy) as talk:
        await talk.say(20)
        redis.empty()
        await talk.say(20)
        await talk.whole()
        assert max(talk.delays()) < 1
        assert_nobody_was_cut(talk)


async def test_a_last_message_with_a_lost_publication_reaches_all_members(healthy: Cluster) -> None:
    # Saved by a process that dies between its commit and its publication.
    post = """
        import os, uuid
        from chat import posting
        from hubbub.publish import process_sender
        process_sender.put = lambda message, **_: os._exit(0)
        from django.contrib.auth import get_user_model
        user = get_user_model().objects.get(username="watcher")
        posting.post_messages([posting.Post(user.pk, "general", uuid.uuid4(), "the last")])
        raise SystemExit("it was published")
    """
    cookie = (await asyncio.to_thread(healthy.make_user, "watcher"))["cookie"]
    async with (
        healthy.client(cookie=cookie, process="web-1") as alice,
        healthy.client(cookie=cookie, process="web-2") as bob,
    ):
        for client in (alice, bob):
            await client.join("general")
        await asyncio.to_thread(healthy.shell, post)
        died = time.monotonic()
        for client in (alice, bob):
            assert (await client.event("message.posted"))["message"]["body"] == "the last"
        delay = time.monotonic() - died
        note("found after", delay)
        assert delay < FOUND_SECONDS


async def test_all_connections_to_redis_are_reset(healthy: Cluster, proxy: Proxy) -> None:
    async with talking(healthy) as talk:
        for _ in range(3):
            await talk.say(20)
            assert proxy.connections
            proxy.reset()
        await talk.say(40)
        await talk.whole()
        assert longest_answer(talk) < 2
        assert max(talk.delays()) < FOUND_SECONDS
        assert_nobody_was_cut(talk)


async def test_the_way_to_redis_takes_200_ms(healthy: Cluster, proxy: Proxy) -> None:
    async with talking(healthy) as talk:
        await talk.say(20)
        since = time.monotonic()
        proxy.delay(0.2)
        await talk.say(60)
        await talk.whole()
        assert longest_answer(talk) < 2  # No command waits for Redis.
        # There and back twice, and not more for each that waits: sooner than by comparing with the database.
        assert 0.3 < max(talk.delays(since)) < 1.5
        assert_nobody_was_cut(talk)


async def test_the_way_to_redis_swallows_everything(healthy: Cluster, proxy: Proxy) -> None:
    async with talking(healthy) as talk:
        await talk.say(20)
        lost = time.monotonic()
        proxy.black_hole()
        assert await time_until_all_have(talk, "degraded", lost, 10) < HANGS_SECONDS
        await talk.say(20)
        lost_at = time.monotonic()
        proxy.pass_on()
        assert await time_until_all_have(talk, "ok", lost_at, 5) < 3
        await talk.say(20)
        await talk.whole()
        assert longest_answer(talk) < 3
        assert max(talk.delays()) < FOUND_SECONDS
        assert_nobody_was_cut(talk)


async def test_typing_without_redis_is_answered_and_hinders_no_post(healthy: Cluster, proxy: Proxy) -> None:
    cookies = {name: (await asyncio.to_thread(healthy.make_user, name))["cookie"] for name in ("typist", "listener")}
    async with (
        healthy.client(cookie=cookies["typist"], process="web-1") as typist,
        healthy.client(cookie=cookies["listener"], process="web-2") as listener,
    ):
        for client in (typist, listener):
            await client.join("general")
        proxy.go_away()
        assert (await listener.event("service.changed", FOUND_SECONDS))["state"] == "degraded"
        for number in range(3):
            assert (await typist.ask("general", "room.typing"))["type"] == "ok"
            assert (await typist.post("general", f"Without Redis {number}"))["type"] == "ok"
            posted = await listener.event("message.posted", FOUND_SECONDS)
            assert posted["message"]["body"] == f"Without Redis {number}"
        proxy.pass_on()
        while (await listener.event("service.changed", 2 * HANGS_SECONDS))["state"] != "ok":
            pass
        async with asyncio.timeout(2 * HANGS_SECONDS):
            while True:
                assert (await typist.ask("general", "room.typing"))["type"] == "ok"
                with suppress(TimeoutError):
                    await listener.event("room.typing", 1.0)
                    break
