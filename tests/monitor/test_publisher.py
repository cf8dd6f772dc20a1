"""Publishers: one leads, by a lease in a real Redis; the test sets the clock."""

import asyncio
import itertools
from datetime import datetime

import pytest

from hubbub.supervisor import private_redis
from monitor.lease import Hold
from monitor.publisher import Publisher
from monitor.readings import HostReader
from monitor.schedule import cancel
from monitor.store import READING_MS, Store, connect
from tests.monitor.conftest import forget_all
from tests.support.cluster import until


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


async def test_a_stopping_publisher_hands_over_at_once(make_publisher, published, settings, store):
    settings.MONITOR = {"LEASE_SECONDS": 60}
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


async def test_a_leader_that_slept_through_its_lease_sends_no_sample(make_publisher, published, clock, short_lease):
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
    # A sample every two seconds, at any speed of the clock.
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
async def test_times_never_fall_when_the_leaders_clock_is_an_hour_off(make_publisher, published, clock, ahead):
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


async def test_a_lease_made_too_long_by_the_clock_of_redis_ends(store):
    async with connect() as redis:
        first, second = store.lease("test", 60), Store(redis).lease("test", 0.3)
        await first.hold()
        # As after an hour back, when the holder died in that moment.
        await redis.pexpire("hubbub:monitor:test", 3_660_000)
        assert await second.hold() is Hold.REFUSED
        async with asyncio.timeout(5):
            while await second.hold() is not Hold.TAKEN:
                await asyncio.sleep(0.05)


async def test_a_reading_made_too_young_by_the_clock_of_redis_ages(store, make_host):
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
    assert sorted(reading.id for reading in readings) == ["3f9a01", "3f9a01:web-1:7", "77b2c4", "77b2c4:web-1:7"]


async def test_a_host_that_stopped_reporting_leaves_the_reporters(store, make_host):
    await store.report(make_host("alpha"))
    assert [(reading.name, round(age)) for reading, age in await store.readings()] == [("alpha", 0)]
    await store._redis.delete("hubbub:monitor:host:alpha")
    assert await store.readings() == []
    assert await store._redis.scard("hubbub:monitor:reporters") == 0


async def test_a_lease_has_one_holder_at_a_time(store):
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
    settings.HUBBUB = settings.HUBBUB | {"REDIS_URL": f"unix://{tmp_path}/redis.sock"}
    settings.MONITOR = {"LEASE_SECONDS": 0.5}
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
    versions = [version for version, _ in published]
    assert versions == sorted(set(versions))
