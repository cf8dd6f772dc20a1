"""Presence when processes die, and when Redis stops, hangs and forgets: no ghosts, no false leaves."""

import asyncio
import os
import random
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from hubbub import site
from hubbub.presence.store import PREFIX, TIMEOUT_SECONDS
from hubbub.presence.topic_presence import Change
from hubbub.protocol import Presence
from hubbub.supervisor.private_redis import running
from tests.support.hubs import until
from tests.support.sides import (
    ALICE,
    BOB,
    CHARLIE,
    GROUP,
    INTERVAL,
    LEASE,
    forget_everything,
    names,
)

pytestmark = pytest.mark.slow


async def test_a_killed_process_leaves_no_ghost(redis: Redis, sides: Any) -> None:
    a, b, c = sides(), sides(), sides()
    a.enter(ALICE, BOB)
    b.enter(BOB)
    there = c.enter(CHARLIE)
    await until(lambda: names(there) == {"alice", "bob", "charlie"})
    began = asyncio.get_running_loop().time()
    await a.kill()
    await until(lambda: names(there) == {"bob", "charlie"})
    assert LEASE / 2 < asyncio.get_running_loop().time() - began < LEASE + 3
    assert c.left() == ["alice"]
    await until(lambda: len(redis.smembers(f"hubbub:{PREFIX}:processes")) == 2)
    assert len([*redis.scan_iter(f"hubbub:{PREFIX}:process:*")]) == 2


async def test_a_return_from_a_killed_process_is_no_leave(redis: Redis, sides: Any) -> None:
    a, b, c = sides(), sides(), sides()
    a.enter(ALICE)
    here, there = b.enter(BOB), c.enter(CHARLIE)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
    await a.kill()
    await asyncio.sleep(LEASE / 2)
    here.enter(ALICE)
    await asyncio.sleep(1.5 * LEASE)
    assert names(here) == names(there) == {"alice", "bob", "charlie"}
    assert b.left() == c.left() == []


async def test_presence_that_redis_forgets_is_written_again_without_a_leave(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    for _ in range(5):
        forget_everything(redis)
        await asyncio.sleep(random.uniform(0, 3 * INTERVAL))
    late = sides()
    elsewhere = late.enter(CHARLIE)
    await until(lambda: names(elsewhere) == {"alice", "bob", "charlie"}, seconds=4)
    await asyncio.sleep(1.5 * LEASE)
    assert names(here) == names(there) == names(elsewhere) == {"alice", "bob", "charlie"}
    assert a.left() == b.left() == late.left() == []


async def test_a_leave_during_lost_data_is_announced_after_the_rewrite(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    forget_everything(redis)
    here.evict([ALICE.id])
    await until(lambda: names(there) == {"bob"}, seconds=LEASE + 1)


async def test_with_redis_away_all_stays_as_it_was_and_comes_right_afterwards(path: Path, sides: Any) -> None:
    with running(path):
        a, b = sides(), sides()
        here, there = a.enter(ALICE), b.enter(BOB)
        await until(lambda: names(here) == names(there) == {"alice", "bob"})
    changes_before = len(a.changes[GROUP]), len(b.changes[GROUP])
    here.enter(CHARLIE)
    there.leave(BOB.id)
    new = a.watch("room.new")
    await asyncio.sleep(2 * LEASE)
    assert (len(a.changes[GROUP]), len(b.changes[GROUP])) == changes_before
    assert here.presence_for(ALICE) == Presence(2, [BOB, ALICE])
    assert new.presence_for(ALICE) is None
    with running(path):
        await until(lambda: names(here) == names(there) == {"alice", "charlie"}, seconds=LEASE + 2)
        await until(lambda: new.presence_for(ALICE) == Presence(1, [ALICE]))
        assert a.left() == ["bob"]
        assert a.joined().count("alice") == 1


async def test_a_hung_redis_blocks_no_join(path: Path, sides: Any) -> None:
    with running(path) as pid:
        a, b = sides(), sides()
        here, there = a.enter(ALICE), b.enter(BOB)
        await until(lambda: names(here) == names(there) == {"alice", "bob"})
        os.kill(pid, signal.SIGSTOP)
        try:
            here.enter(CHARLIE)
            await asyncio.sleep(TIMEOUT_SECONDS + LEASE + 0.5)
            assert a.tracker._log.is_failing
            assert names(here) == {"alice", "bob"}
        finally:
            os.kill(pid, signal.SIGCONT)
        await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
        await asyncio.sleep(1.5 * LEASE)
        assert a.left() == b.left() == []


async def test_before_redis_ever_came_nothing_is_known_and_then_everybody_is_told(path: Path, sides: Any) -> None:
    a, b = sides(), sides()
    here = a.enter(ALICE)
    b.enter(BOB)
    assert here.presence_for(ALICE) is None
    await asyncio.sleep(4 * INTERVAL)
    assert a.changes == {}
    with running(path):
        await until(lambda: names(here) == {"alice", "bob"})
        first = a.changes[GROUP][0]
        assert "alice" in {user.name for user in first.joined}
        assert first.count == len(first.joined)


async def test_too_many_missed_changes_cause_a_full_read(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    # All processes write, and each loses the place where it was reading.
    here.enter(CHARLIE)
    for _ in range(20):
        redis.delete(f"hubbub:{PREFIX}:changes")
        await asyncio.sleep(INTERVAL / 3)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})


async def test_a_failing_group_does_not_stop_the_others(
    redis: Redis, sides: Any, caplog: pytest.LogCaptureFixture
) -> None:
    a, b = sides(), sides()

    def fail(group: str, change: Change) -> str:
        raise RuntimeError("a bug of the feature's")

    broken = b.tracker.watch("room.broken", fail)
    broken.enter(BOB)
    a.enter(ALICE, group="room.odd")
    odd = b.enter(BOB, group="room.odd")
    await until(lambda: names(odd) == {"alice", "bob"})
    (key,) = [key for key in redis.scan_iter(f"hubbub:{PREFIX}:process:*") if redis.hget(key, "room.broken") is None]
    redis.hset(key, "room.odd", b"\xc1")
    redis.xadd(f"hubbub:{PREFIX}:changes", {"process": key.decode().split(":")[-1], "groups": "room.odd"})
    await until(lambda: names(odd) == {"bob"})
    a.enter(CHARLIE)
    good = b.enter(BOB)
    await until(lambda: names(good) == {"bob", "charlie"})
    assert "a bug of the feature's" in caplog.text
    assert "cannot be read" in caplog.text


async def test_all_keys_in_redis_expire(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    for number in range(50):
        a.enter(ALICE, BOB, group=f"room.{number}")
        b.enter(CHARLIE, group=f"room.{number}")
    await until(lambda: len(b.joined("room.49")) == 3)
    keys = [*redis.scan_iter("*")]
    # Others, such as the site's lease, are of tests before.
    assert len([key for key in keys if key.startswith(b"hubbub:presence:")]) == 4
    assert all(redis.pttl(key) > 0 for key in keys)
    for side, users in ((a, (ALICE, BOB)), (b, (CHARLIE,))):
        for number in range(50):
            people = side.watch(f"room.{number}")
            for user in users:
                people.leave(user.id)
            side.tracker.unwatch(f"room.{number}")
    await until(lambda: not a.tracker._groups and not b.tracker._groups)
    assert [redis.hlen(key) for key in redis.scan_iter(f"hubbub:{PREFIX}:process:*")] == [1, 1]
    assert not a.tracker._leaving
    assert not a.tracker._unread
    assert not a.tracker._incomplete


async def test_a_group_left_and_entered_again_is_read_afresh(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(there) == {"alice", "bob"})
    there.leave(BOB.id)
    b.tracker.unwatch(GROUP)
    here.enter(CHARLIE)
    await asyncio.sleep(3 * INTERVAL)
    assert b.watch().presence_for(BOB) is None
    again = b.enter(BOB)
    await until(lambda: names(again) == {"alice", "bob", "charlie"})
    assert a.left() == []


def _strange_members(redis: Redis) -> None:
    redis.sadd(site.key(f"{PREFIX}:processes"), b"\xff\xfe", "a\nline", "x" * 100_000, "")


def _strange_entries(redis: Redis) -> None:
    redis.xadd(site.key(f"{PREFIX}:changes"), {"colour": "red"})
    redis.xadd(site.key(f"{PREFIX}:changes"), {b"process": b"\xff", b"groups": b"\xff room.general"})


def _strange_parts(redis: Redis) -> None:
    redis.sadd(site.key(f"{PREFIX}:processes"), "stranger", "other")
    redis.hset(site.key(f"{PREFIX}:process:stranger"), GROUP, b"\xc1")
    redis.hset(site.key(f"{PREFIX}:process:stranger"), "", "")
    redis.set(site.key(f"{PREFIX}:process:other"), "not a hash")
    for process in ("stranger", "other"):
        redis.xadd(site.key(f"{PREFIX}:changes"), {"process": process, "groups": GROUP})


def _of_another_kind(key: str) -> Callable[[Redis], None]:
    def put(redis: Redis) -> None:
        redis.delete(site.key(f"{PREFIX}:{key}"))
        redis.set(site.key(f"{PREFIX}:{key}"), "not ours")

    return put


def _own_part_of_another_kind(redis: Redis) -> None:
    for key in [*redis.scan_iter(site.key(f"{PREFIX}:process:*"))]:
        redis.set(key, "not ours")


def _stream_that_takes_no_more(redis: Redis) -> None:
    redis.delete(site.key(f"{PREFIX}:changes"))
    redis.xadd(site.key(f"{PREFIX}:changes"), {"process": "x"}, id="18446744073709551615-18446744073709551615")


STRAYS: dict[str, Callable[[Redis], None]] = {
    "members that are no processes": _strange_members,
    "entries without fields, and no UTF-8": _strange_entries,
    "parts that cannot be read": _strange_parts,
    "the set of another kind": _of_another_kind("processes"),
    "the stream of another kind": _of_another_kind("changes"),
    "the parts of another kind": _own_part_of_another_kind,
    "the stream at its last id": _stream_that_takes_no_more,
}


@pytest.mark.parametrize("put", STRAYS.values(), ids=STRAYS.keys())
async def test_foreign_data_does_not_stop_presence(
    redis: Redis, sides: Any, put: Callable[[Redis], None], caplog: pytest.LogCaptureFixture
) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    put(redis)
    await asyncio.sleep(2 * INTERVAL)
    here.enter(CHARLIE)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
    there.evict([BOB.id])
    await until(lambda: names(here) == names(there) == {"alice", "charlie"}, LEASE + 3)
    assert "Traceback" not in caplog.text
    assert len(caplog.records) < 20
