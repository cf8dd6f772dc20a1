"""Leading: by a real Redis, with the clock of the publisher in the test's hand."""

import asyncio
import itertools
from dataclasses import dataclass
from datetime import datetime

import msgspec
import pytest

from hubbub.supervisor import private_redis
from monitor.conf import Monitor
from monitor.history import History
from monitor.lease import Hold
from monitor.protocol import encode
from monitor.publisher import Publisher
from monitor.readings import HostReader
from monitor.schedule import cancel
from monitor.snapshot import make_sample
from monitor.store import READING_MS, Store, _key, connect
from tests.monitor.conftest import forget_all
from tests.support.cluster import until


@dataclass
class Clock:
    """`now`: the publishers' steady clocks. `set_by`: how far Redis' clock, which gives the times, is from it."""

    now: float = 1_900_000_000.0
    set_by: float = 0.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    one = Clock()

    async def time(store):
        return one.now + one.set_by

    monkeypatch.setattr(Store, "time", time)
    return one


@pytest.fixture
def published(monkeypatch):
    frames = []

    def publish(group, text, *, version, now):
        assert (group, now) == ("monitor.samples", True)
        frames.append((version, msgspec.json.decode(text)))

    monkeypatch.setattr("monitor.publisher.publish", publish)
    return frames


@pytest.fixture
def make_publisher(store, settings, clock):
    settings.MONITOR = Monitor(lease_seconds=60)  # Unlike the clock of these tests, Redis's own goes on.

    def make(name="alpha", ahead=0.0):
        return Publisher(store, HostReader("demo", name), interval=2.0, clock=lambda: clock.now + ahead)

    return make


@pytest.fixture
def short_lease(make_publisher, settings):
    settings.MONITOR = Monitor(lease_seconds=0.5)


async def beat_until(publisher, condition, seconds=5.0):
    async with asyncio.timeout(seconds):
        while not condition():
            await publisher.beat()
            await asyncio.sleep(0.02)


async def test_one_sample_an_interval_with_rising_seq(make_publisher, published, clock):
    publisher = make_publisher()
    for _ in range(12):
        await publisher.beat()
        clock.now += 0.5
    frames = [frame for _, frame in published]
    assert [frame["seq"] for frame in frames] == [1, 2, 3]
    assert len({frame["epoch"] for frame in frames}) == 1
    assert [frame["at"] for frame in frames] == [f"2030-03-17T17:46:{second}Z" for second in (40, 42, 44)]
    assert [host["name"] for host in frames[-1]["hosts"]] == ["alpha"]


async def test_the_first_sample_waits_for_a_reading_that_spans_enough(make_publisher, published, clock, monkeypatch):
    monkeypatch.setattr(HostReader, "is_ready", lambda host: clock.now > 1_900_000_000)
    publisher = make_publisher()
    for samples in (0, 1):
        await publisher.beat()
        assert [frame["hosts"][0]["name"] for _, frame in published] == ["alpha"] * samples
        clock.now += 0.5


async def test_of_two_publishers_one_leads_and_both_hosts_are_in_the_sample(make_publisher, published, clock):
    first, second = make_publisher("alpha"), make_publisher("beta")
    for _ in range(12):
        await asyncio.gather(first.beat(), second.beat())
        clock.now += 0.5
    assert [frame["seq"] for _, frame in published] == [1, 2, 3]
    assert [host["name"] for host in published[-1][1]["hosts"]] == ["alpha", "beta"]


async def test_another_leads_when_the_lease_ends_with_a_greater_epoch_and_no_second_sample(
    make_publisher, published, clock, short_lease
):
    first, second = make_publisher("alpha"), make_publisher("beta")
    await first.beat()
    await second.beat()
    assert len(published) == 1
    # The first is dead. Within the same interval the second takes over and sends nothing …
    await beat_until(second, lambda: second._leads)
    assert len(published) == 1
    # … but in the next it does.
    clock.now += 2
    await second.beat()
    (before, _), (after, frame) = published
    assert after > before
    assert frame["seq"] == 1
    assert frame["epoch"] > published[0][1]["epoch"]


async def test_one_that_is_told_to_stop_hands_over_at_once(make_publisher, published, settings, store):
    settings.MONITOR = Monitor(lease_seconds=60)
    first = Publisher(store, HostReader("demo", "alpha"), interval=0.1)
    second = Publisher(store, HostReader("demo", "beta"), interval=0.1)
    await first.beat()
    running = asyncio.create_task(first.run())
    await second.beat()
    assert not second._leads
    await cancel(running)
    await first.end()
    await second.beat()
    assert second._leads


async def test_a_leader_that_slept_through_its_lease_sends_nothing_more(make_publisher, published, clock, short_lease):
    first, second = make_publisher("alpha"), make_publisher("beta")
    await first.beat()
    clock.now += 2
    await beat_until(second, lambda: len(published) == 2)
    # As if it had been stopped between renewing its lease and sending.
    await first._sample()
    assert len(published) == 2
    assert not first._leads
    await first.beat()
    assert len(published) == 2


async def test_epochs_rise_also_when_redis_has_forgotten_everything(make_publisher, published, clock, store):
    publisher = make_publisher()
    await publisher.beat()
    await forget_all(store._redis)
    clock.now += 2
    await publisher.beat()
    first, second = (version for version, _ in published)
    assert second > first
    # Led by another meanwhile, and forgotten again.
    await publisher._lease.release()
    other = make_publisher("beta")
    clock.now += 2
    await other.beat()
    await forget_all(store._redis)
    clock.now += 2
    await publisher.beat()
    versions = [version for version, _ in published]
    assert versions == sorted(set(versions))


async def test_an_epoch_is_above_all_before_and_not_below_the_time(store):
    import time

    before = int(time.time())
    epochs = [await store.take_epoch(above=0) for _ in range(3)]
    assert epochs[0] >= before
    assert epochs == sorted(set(epochs))
    assert await store.take_epoch(above=epochs[-1] + 10) == epochs[-1] + 11


def times_of(published):
    return [datetime.fromisoformat(frame["at"]).timestamp() for _, frame in published]


@pytest.mark.parametrize("seconds", [-3600.0, -600.0, -0.3, 600.0, 3600.0])
async def test_times_never_fall_and_samples_go_on_when_the_clock_is_set(make_publisher, published, clock, seconds):
    publisher = make_publisher()
    for step in range(40):
        if step == 12:
            clock.set_by = seconds
        await publisher.beat()
        clock.now += 0.5
    # One each two seconds, whatever was set.
    assert [frame["seq"] for _, frame in published] == list(range(1, 11))
    times = times_of(published)
    steps = [after - before for before, after in itertools.pairwise(times)]
    assert all(0.9 <= step <= 2.1 for step in steps[:2] + steps[3:])
    assert min(steps) > 0
    if seconds > 0:
        assert times[-1] == clock.now - 2 + seconds


async def test_times_are_right_again_some_time_after_the_clock_was_set_back(make_publisher, published, clock):
    publisher = make_publisher()
    await publisher.beat()
    clock.set_by = -10.0
    for _ in range(15):
        clock.now += 2
        await publisher.beat()
    assert times_of(published)[-1] == clock.now - 10


@pytest.mark.parametrize("ahead", [-3600.0, 3600.0])
async def test_times_never_fall_when_a_publisher_leads_whose_clock_is_an_hour_off(
    make_publisher, published, clock, ahead
):
    first, second = make_publisher("alpha"), make_publisher("beta", ahead=ahead)
    for leader, other in ((first, second), (second, first), (first, second)):
        for _ in range(8):
            await leader.beat()
            await other.beat()
            clock.now += 0.5
        await leader.end()
    assert len(published) == 6
    assert times_of(published) == [1_900_000_000.0 + 2 * number for number in range(6)]
    versions = [version for version, _ in published]
    assert versions == sorted(set(versions))


async def test_a_lease_that_redis_clock_made_too_long_ends_all_the_same(store):
    async with connect() as redis:
        first, second = store.lease("test", 60), Store(redis).lease("test", 0.3)
        await first.hold()
        # As after an hour back, when the holder died in that moment.
        await redis.pexpire("hubbub:monitor:test", 3_660_000)
        assert await second.hold() is Hold.REFUSED
        async with asyncio.timeout(5):
            while await second.hold() is not Hold.TAKEN:
                await asyncio.sleep(0.05)


async def test_a_reading_that_redis_clock_made_too_young_ages_all_the_same(store, make_host):
    await store.report(make_host("alpha"))
    await store._redis.pexpire("hubbub:monitor:host:alpha", READING_MS + 3_600_000)
    assert [age for _, age in await store.readings()] == [0]
    await asyncio.sleep(0.2)
    assert [0.1 < age < 5 for _, age in await store.readings()] == [True]


async def test_two_hosts_with_one_name_are_two_in_a_sample(store, make_host, make_process):
    for id in ("3f9a01", "77b2c4"):
        await store.report(make_host("app", id=id))
        await store.report(make_process(f"{id}:web-1:7", host_name="app"))
    readings = [reading for reading, _ in await store.readings()]
    assert sorted(one.id for one in readings) == ["3f9a01", "3f9a01:web-1:7", "77b2c4", "77b2c4:web-1:7"]


async def test_a_host_that_stopped_reporting_leaves_the_reporters(store, make_host):
    await store.report(make_host("alpha"))
    assert [(reading.name, round(age)) for reading, age in await store.readings()] == [("alpha", 0)]
    await store._redis.delete("hubbub:monitor:host:alpha")
    assert await store.readings() == []
    assert await store._redis.scard("hubbub:monitor:reporters") == 0


async def test_a_lease_is_one_holders_at_a_time(store):
    async with connect() as redis:
        first, second = store.lease("test", 60), Store(redis).lease("test", 60)
        assert await first.hold() is Hold.TAKEN
        assert await second.hold() is Hold.REFUSED
        assert await first.hold() is Hold.RENEWED
        await second.release()
        assert await second.hold() is Hold.REFUSED
        await first.release()
        assert await second.hold() is Hold.TAKEN
        assert await first.hold() is Hold.REFUSED


@pytest.mark.slow
async def test_samples_come_again_when_redis_does(published, settings, tmp_path):
    settings.REDIS_URL = f"unix://{tmp_path}/redis.sock"
    settings.MONITOR = Monitor(lease_seconds=0.5)
    async with connect() as redis:
        publisher = Publisher(Store(redis), HostReader("demo", "alpha"), interval=0.1)
        running = asyncio.create_task(publisher.run())
        try:
            for count in (3, 6):
                with private_redis.running(tmp_path / "redis.sock"):
                    await until(lambda count=count: len(published) >= count)
        finally:
            await cancel(running)
            await publisher.end()
    assert (versions := [version for version, _ in published]) == sorted(set(versions))


# What somebody else wrote to Redis


async def put_strange_readings(redis):
    names = [b"\xff", "x", "host:text", "host:list", "host:long", "process:huge", "host:eternal", "host:deep"]
    await redis.sadd(_key("reporters"), *names)
    await redis.set(_key("x"), "1")
    await redis.set(_key("host:text"), "5", px=1000)
    await redis.hset(_key("host:list"), "a", "b")
    [own] = [
        one
        async for one in redis.scan_iter(_key("host:*"))
        if await redis.type(one) == b"string" and b"text" not in one
    ]
    host = (await redis.get(own)).decode()
    await redis.set(_key("host:long"), host.replace("alpha", "l" * 10_000), px=200_000)
    await redis.set(_key("host:eternal"), host.replace("alpha", "eternal"))
    await redis.set(_key("host:deep"), b"[" * 100_000, px=200_000)
    process = '{"id":"huge","host_name":"huge","sockets":%d,"frames_in_per_second":0,'
    process += '"deliveries_per_second":0,"lag_p99_ms":0,"lag_max_ms":0,"memory_bytes":1}'
    await redis.set(_key("process:huge"), process % 10**30, px=200_000)


def of_another_kind(key):
    async def put(redis):
        await redis.delete(_key(key))
        if key in ("epoch", "leader"):
            await redis.hset(_key(key), "a", "b")
        else:
            await redis.set(_key(key), "not ours")

    return put


async def put_a_lease_that_never_ends(redis):
    await redis.set(_key("leader"), "not ours")


async def put_an_epoch_of_words(redis):
    await redis.set(_key("epoch"), "never")


async def put_an_epoch_past_all(redis):
    await redis.set(_key("epoch"), str(10**30))


async def put_a_sample_that_is_none(redis):
    await redis.xadd(_key("samples"), {"colour": "red"}, id="1999999999-1")


async def put_the_last_sample_of_all(redis):
    await redis.xadd(_key("samples"), {"text": "{}"}, id="18446744073709551615-7")


STRAYS = {
    "readings": put_strange_readings,
    "the reporters of another kind": of_another_kind("reporters"),
    "the epoch of another kind": of_another_kind("epoch"),
    "an epoch of words": put_an_epoch_of_words,
    "an epoch past all": put_an_epoch_past_all,
    "the samples of another kind": of_another_kind("samples"),
    "a sample that is none": put_a_sample_that_is_none,
    "the last sample of all": put_the_last_sample_of_all,
    "the lease of another kind": of_another_kind("leader"),
    "a lease that never ends": put_a_lease_that_never_ends,
}


@pytest.mark.parametrize("stray", STRAYS)
async def test_what_somebody_else_wrote_does_not_stop_the_samples(store, published, settings, stray):
    settings.MONITOR = Monitor(lease_seconds=0.5)
    publisher = Publisher(store, HostReader("demo", "alpha"), interval=0.1)
    running = asyncio.create_task(publisher.run())
    try:
        await until(lambda: len(published) >= 2)
        await STRAYS[stray](store._redis)
        if "lease" not in stray:
            await store._redis.delete(_key("leader"))  # It begins to lead anew, and reads all of it.
        count = len(published)
        await until(lambda: len(published) >= count + 5)
    finally:
        await cancel(running)
        await publisher.end()
    versions = [version for version, _ in published]
    assert versions == sorted(set(versions))
    assert versions[-1] < 2**63
    assert [host["name"] for host in published[-1][1]["hosts"]] == ["alpha"]


async def test_a_new_tab_is_not_shown_what_somebody_else_wrote_among_the_samples(store, make_host):
    sample = encode(make_sample([(make_host(), 0.0)], epoch=1_800_000_000, seq=2, at=1.8e9, stale_seconds=7))
    redis = store._redis
    await redis.xadd(_key("samples"), {"text": b"\xff{", "interval_ms": 1}, id="1800000000-1")
    await redis.xadd(_key("samples"), {"text": sample, "interval_ms": 2000}, id="1800000000-2")
    await redis.xadd(_key("samples"), {"text": sample, "interval_ms": "soon"}, id="1800000000-3")
    await redis.xadd(_key("samples"), {"colour": "red"}, id="1800000000-4")
    found, _ = await store.samples_after(None, 10)
    assert found == [((1_800_000_000, 2), sample, 2000)]
    assert msgspec.json.decode((await History(store).page()).text)["samples"] == [msgspec.json.decode(sample)]
