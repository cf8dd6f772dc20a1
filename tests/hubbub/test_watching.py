"""The list of one process while the database fails: it is read again, and nobody waits for ever."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from hubbub.delivery.recovery import StreamPosition
from hubbub.protocol import Refused
from hubbub.topics import watch_reading, watching
from hubbub.topics.watch_reading import Item, Read
from hubbub.topics.watching import WatchFeed

PULSE_SECONDS = 0.02
ALICE = "1"


class Database:
    """What the reads find: the list of Alice, and whether the database is away."""

    def __init__(self) -> None:
        self.is_away = False
        self.keys = {"a"}
        self.lists_read = 0

    async def read(self, function: Any, *arguments: Any) -> Read:
        await asyncio.sleep(0)
        if self.is_away:
            raise ConnectionError("the database is away")
        if function is watch_reading.read_moves:
            return Read({}, {}, {}, frozenset())
        self.lists_read += 1
        items = {key: Item(key, StreamPosition("0", 1), msgspec.Raw(b"{}"), 2) for key in self.keys}
        return Read(dict.fromkeys(arguments[2], frozenset(self.keys)), items, {}, frozenset())


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Database:
    made = Database()
    monkeypatch.setattr(watching.threads, "read", made.read)
    monkeypatch.setattr(watching, "PULSE_SECONDS", PULSE_SECONDS)
    return made


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[WatchFeed]:
    def spawn(coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return asyncio.create_task(coroutine)

    group: Any = SimpleNamespace(live={}, user_ids={ALICE}, members=1)
    topic: Any = SimpleNamespace(address="rooms")
    recovery: Any = None
    made = WatchFeed(topic, lambda address: None, recovery, spawn, group)
    yield made
    made.end()


async def reread(database: Database, seconds: float = 1.0) -> None:
    """Wait until lists have been read once more."""
    before = database.lists_read
    async with asyncio.timeout(seconds):
        while database.lists_read == before:
            await asyncio.sleep(PULSE_SECONDS)


async def test_a_join_while_the_database_is_away_is_refused_and_the_next_one_served(
    database: Database, feed: WatchFeed
) -> None:
    database.is_away = True
    with pytest.raises(Refused) as refused:
        await feed.wait_for(ALICE)
    assert refused.value.retry_after_ms
    database.is_away = False
    async with asyncio.timeout(1):
        await feed.wait_for(ALICE)


async def test_what_changed_while_the_database_was_away_is_read_when_it_is_back(
    database: Database, feed: WatchFeed
) -> None:
    await feed.wait_for(ALICE)
    database.is_away = True
    feed.note_listed([ALICE], [])
    await asyncio.sleep(5 * PULSE_SECONDS)  # Some pulses fail.
    database.keys = {"b"}
    database.is_away = False
    await reread(database)
    async with asyncio.timeout(1):
        while feed._lists[ALICE] != {"b"}:
            await asyncio.sleep(PULSE_SECONDS)


async def test_lists_are_read_anew_where_messages_may_be_lost(database: Database, feed: WatchFeed) -> None:
    await feed.wait_for(ALICE)
    database.keys = {"a", "c"}
    assert feed.local is not None
    feed.compare(feed.local, None)
    await reread(database)
    async with asyncio.timeout(1):
        while feed._lists[ALICE] != {"a", "c"}:
            await asyncio.sleep(PULSE_SECONDS)


async def test_a_hint_about_a_user_whose_first_list_is_being_read_is_kept(database: Database, feed: WatchFeed) -> None:
    held = asyncio.Event()
    read = database.read

    async def slow(function: Any, *arguments: Any) -> Read:
        found = await read(function, *arguments)
        await held.wait()
        return found

    watching.threads.read = slow  # type: ignore[assignment]  # Undone by the fixture.
    waiting = asyncio.create_task(feed.wait_for(ALICE))
    async with asyncio.timeout(1):
        while not database.lists_read:
            await asyncio.sleep(0)
    database.keys = {"b"}  # Committed after the read, before it is applied.
    feed.note_listed([ALICE], [])
    held.set()
    await waiting
    async with asyncio.timeout(1):
        while feed._lists[ALICE] != {"b"}:
            await asyncio.sleep(PULSE_SECONDS)
