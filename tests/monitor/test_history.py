import asyncio

import msgspec
import pytest

from hubbub.topics import max_bytes
from monitor.history import History, thin
from monitor.protocol import encode, version_of
from monitor.snapshot import make_sample

EPOCH = 1_800_000_000


def text_of(seq, *hosts, epoch=EPOCH):
    readings = [(host, 0.0) for host in hosts]
    return encode(make_sample(readings, epoch=epoch, seq=seq, at=EPOCH + seq * 2, stale_seconds=7))


async def keep(store, seq, *hosts, epoch=EPOCH, made_at=0.0):
    return await store.keep_sample(
        epoch, seq, text_of(seq, *hosts, epoch=epoch), made_at=made_at, interval_ms=2000, kept=300
    )


async def test_the_history_has_the_very_bytes_that_were_published_oldest_first(store, make_host):
    for seq in (1, 2, 3):
        await keep(store, seq, make_host())
    page = await History(store).page()
    frame = msgspec.json.decode(page.json)
    assert (frame["epoch"], frame["interval_ms"], frame["every"]) == (EPOCH, 2000, 1)
    assert [sample["seq"] for sample in frame["samples"]] == [1, 2, 3]
    assert text_of(2, make_host()) in bytes(page.json)
    assert page.version == version_of(EPOCH, 3)


@pytest.mark.parametrize(("made_ago", "age"), [(3.0, 3.0), (30.0, 30.0), (-600.0, 0.0)])
async def test_the_history_says_how_old_its_newest_sample_is(store, made_ago, age):
    await keep(store, 1, made_at=0.0)
    await keep(store, 2, made_at=await store.time() - made_ago)
    frame = msgspec.json.decode((await History(store).page()).json)
    assert age * 1000 <= frame["age_ms"] < (age + 2) * 1000


@pytest.mark.slow
async def test_the_age_goes_on_while_redis_is_away_and_whatever_its_clock_does(store, monkeypatch):
    await keep(store, 1, made_at=await store.time())
    history = History(store)
    await history.page()

    async def away(*args):
        raise ConnectionError

    monkeypatch.setattr(store, "samples_after", away)
    await asyncio.sleep(1.2)
    assert 1200 <= msgspec.json.decode((await history.page()).json)["age_ms"] < 5000


async def test_a_history_without_samples_is_empty_and_lies_below_any_sample(store):
    page = await History(store).page()
    frame = msgspec.json.decode(page.json)
    assert (frame["samples"], frame["age_ms"]) == ([], None)
    assert page.version < version_of(1, 1)


async def test_each_page_has_all_earlier_samples(store):
    history = History(store)
    for seq in range(1, 20):
        await keep(store, seq)
        assert (await history.page()).version == version_of(EPOCH, seq)


async def test_many_pages_at_once_cost_few_reads(store, monkeypatch):
    reads = 0
    read = store.samples_after

    async def counted(*args):
        nonlocal reads
        reads += 1
        return await read(*args)

    monkeypatch.setattr(store, "samples_after", counted)
    await keep(store, 1)
    history = History(store)
    pages = await asyncio.gather(*(history.page() for _ in range(200)))
    assert {page.version for page in pages} == {version_of(EPOCH, 1)}
    assert reads <= 3


async def test_at_most_the_kept_samples_are_in_it(store):
    for seq in range(1, 320):
        await keep(store, seq)
    frame = msgspec.json.decode((await History(store).page()).json)
    assert [sample["seq"] for sample in frame["samples"]] == list(range(20, 320))


async def test_a_history_of_big_samples_is_thinned_to_fit_a_frame(store, make_host):
    host = make_host(cores_percent=tuple([50.0] * 256))
    for seq in range(1, 301):
        await keep(store, seq, host)
    page = await History(store).page()
    frame = msgspec.json.decode(page.json)
    assert memoryview(page.json).nbytes <= 256 * 1024
    every = frame["every"]
    assert every > 1
    assert [sample["seq"] for sample in frame["samples"]] == list(range(300, 0, -every))[::-1]


async def test_a_history_of_any_size_fits_into_the_answer_to_a_join(store, make_host, settings):
    for seq in range(1, 301):
        await keep(store, seq, make_host())
    for sent_frame_bytes in range(65_536, 131_072, 500):
        settings.HUBBUB = settings.HUBBUB | {"SENT_FRAME_BYTES": sent_frame_bytes}
        assert memoryview((await History(store).page()).json).nbytes <= max_bytes(), sent_frame_bytes


def test_thinning_keeps_the_newest_and_takes_no_more_than_needed():
    samples = [bytes([65 + n]) * 9 for n in range(10)]
    assert thin(samples, 100) == (1, samples)
    assert thin(samples, 99) == (2, samples[1::2])
    assert thin(samples, 5) == (10, samples[9:])
    assert thin([], 5) == (1, [])


async def test_with_redis_away_the_known_history_is_shown(store, monkeypatch):
    await keep(store, 1)
    history = History(store)
    before = await history.page()

    async def away(*args):
        raise ConnectionError

    monkeypatch.setattr(store, "samples_after", away)
    assert await history.page() == before
