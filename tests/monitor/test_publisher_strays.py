"""Foreign data among the keys of the monitor in Redis: samples go on."""

import asyncio

import msgspec
import pytest

from monitor.history import History
from monitor.protocol import encode
from monitor.publisher import Publisher
from monitor.readings import HostReader
from monitor.schedule import cancel
from monitor.snapshot import make_sample
from monitor.store import _key
from tests.support.cluster import until

pytestmark = pytest.mark.slow


async def put_strange_readings(redis):
    names = [b"\xff", "x", "host:text", "host:list", "host:long", "process:huge", "host:eternal", "host:deep"]
    await redis.sadd(_key("reporters"), *names)
    await redis.set(_key("x"), "1")
    await redis.set(_key("host:text"), "5", px=1000)
    await redis.hset(_key("host:list"), "a", "b")
    [own] = [
        key
        async for key in redis.scan_iter(_key("host:*"))
        if await redis.type(key) == b"string" and b"text" not in key
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
async def test_foreign_data_does_not_stop_the_samples(store, published, settings, stray):
    settings.MONITOR = {"LEASE_SECONDS": 0.5}
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


async def test_a_new_tab_shows_no_foreign_data_among_the_samples(store, make_host):
    sample = encode(make_sample([(make_host(), 0.0)], epoch=1_800_000_000, seq=2, at=1.8e9, stale_seconds=7))
    redis = store._redis
    await redis.xadd(_key("samples"), {"text": b"\xff{", "interval_ms": 1}, id="1800000000-1")
    await redis.xadd(_key("samples"), {"text": sample, "interval_ms": 2000}, id="1800000000-2")
    await redis.xadd(_key("samples"), {"text": sample, "interval_ms": "soon"}, id="1800000000-3")
    await redis.xadd(_key("samples"), {"colour": "red"}, id="1800000000-4")
    samples, _ = await store.samples_after(None, 10)
    assert samples == [((1_800_000_000, 2), sample, 2000)]
    assert msgspec.json.decode((await History(store).page()).json)["samples"] == [msgspec.json.decode(sample)]
