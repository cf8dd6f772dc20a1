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


class Socket:
    """An outbox that notes what it was given, and the member behind it."""

    def __init__(self, user_id: str, waiting_bytes: int = 0) -> None:
        self.user_id = user_id
        self.waiting_bytes = waiting_bytes
        self.got: list[str] = []

    def put_frames(self, frames: Any) -> None:
        self.got += frames.texts


async def test_what_many_users_got_and_lost_is_encoded_once(
    database: Database, feed: WatchFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    users = [str(number) for number in range(1, 51)]
    sockets = [Socket(user_id) for user_id in users]
    slow = Socket(ALICE, watching.PART_BYTES + 1)
    encoded: list[Any] = []

    def encode(frame: Any) -> str:
        encoded.append(frame)
        return encode_frame(frame)

    def broadcast(frames: Any, outboxes: Any) -> None:
        for outbox in outboxes:
            outbox.put_frames(frames)

    encode_frame = watching.encode
    monkeypatch.setattr(watching, "encode", encode)
    monkeypatch.setattr(watching, "broadcast", broadcast)
    for user_id in users:
        await feed.wait_for(user_id)
    group: Any = feed._receiver
    group.live, group.user_ids = {socket: socket for socket in (*sockets, slow)}, {*users}
    database.keys = {"b"}
    feed.note_listed(users, ())
    async with asyncio.timeout(2):
        while not all(socket.got for socket in sockets):
            await asyncio.sleep(0)  # Before the next pulse.
    [texts] = {tuple(socket.got) for socket in sockets}
    assert [msgspec.json.decode(text)["type"] for text in texts] == ["moved", "gone"]
    assert len(encoded) == 2
    # The slow one gets the same as soon as it reads.
    slow.waiting_bytes = 0
    feed.note_listed([ALICE], ())
    async with asyncio.timeout(2):
        while not slow.got:
            await asyncio.sleep(PULSE_SECONDS)
    assert slow.got == [*texts]
