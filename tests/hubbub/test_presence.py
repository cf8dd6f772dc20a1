"""Presence of several processes on a real Redis: users, once each, and their changes."""

import asyncio
import random
from typing import Any

import pytest
from redis import Redis

from hubbub.presence import topic_presence, tracker
from hubbub.presence.topic_presence import Change, People
from hubbub.protocol import Person, Presence
from tests.support.hubs import until
from tests.support.sides import ALICE, BOB, CHARLIE, GRACE, GROUP, INTERVAL, Page, Side, names

pytestmark = pytest.mark.slow


# Present users


async def test_people_of_two_processes_see_one_another(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    assert here.presence_for(ALICE) == Presence(2, [BOB, ALICE])
    assert sorted(a.joined()) == sorted(b.joined()) == ["alice", "bob"]
    assert a.left() == b.left() == []


async def test_several_sockets_are_one_presence_that_ends_with_the_last(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE, ALICE, BOB), b.enter(ALICE)
    await until(lambda: names(here) == names(there) == {"alice", "bob"})
    here.leave(ALICE.id)
    there.leave(ALICE.id)
    b.enter(CHARLIE)
    await asyncio.sleep(2 * GRACE)
    assert names(there) == {"alice", "bob", "charlie"}
    began = asyncio.get_running_loop().time()
    here.leave(ALICE.id)
    await until(lambda: names(here) == names(there) == {"bob", "charlie"})
    assert asyncio.get_running_loop().time() - began >= GRACE
    assert a.left() == b.left() == ["alice"]
    assert a.joined().count("alice") == b.joined().count("alice") == 1


async def test_a_new_name_is_announced_without_a_leave(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE, BOB), b.enter(CHARLIE)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
    here.rename("1", "carol")
    here.rename("9", "nobody")
    await until(lambda: names(here) == names(there) == {"carol", "bob", "charlie"})
    assert a.joined()[-1] == b.joined()[-1] == "carol"
    assert a.left() == b.left() == []


async def test_a_return_within_the_grace_is_no_leave(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE, BOB), b.enter(CHARLIE)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
    changes_before = len(a.changes[GROUP]), len(b.changes[GROUP])
    for _ in range(5):
        here.leave(ALICE.id)
        await asyncio.sleep(GRACE / 2)
        here.enter(ALICE)
    # By way of another process, too.
    here.leave(ALICE.id)
    there.enter(ALICE)
    await asyncio.sleep(2 * GRACE)
    assert (len(a.changes[GROUP]), len(b.changes[GROUP])) == changes_before


async def test_a_joining_user_is_present_for_itself_and_announced_to_others(redis: Redis, sides: Any) -> None:
    a = sides()
    people = a.enter(ALICE)
    await until(lambda: names(people) == {"alice"})
    assert people.presence_for(BOB) == Presence(2, [ALICE, BOB])
    assert names(people) == {"alice"}
    people.enter(BOB)
    await until(lambda: a.changes[GROUP][-1] == Change(2, [BOB], []))


async def test_an_evicted_user_is_gone_at_once(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE, ALICE, BOB), b.enter(CHARLIE)
    await until(lambda: names(there) == {"alice", "bob", "charlie"})
    here.leave(BOB.id)
    here.evict([ALICE.id, BOB.id])
    began = asyncio.get_running_loop().time()
    await until(lambda: names(there) == {"charlie"})
    assert asyncio.get_running_loop().time() - began < GRACE
    here.leave(ALICE.id)  # Its consumer cleans up later.
    here.enter(ALICE)
    here.evict(None)
    await asyncio.sleep(4 * INTERVAL)
    assert names(here) == {"charlie"}


async def test_another_name_is_announced_as_a_join(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(there) == {"alice", "bob"})
    here.enter(Person(ALICE.id, "alice.liddell"))
    await until(lambda: names(there) == {"alice.liddell", "bob"})
    assert b.changes[GROUP][-1] == Change(2, [Person("1", "alice.liddell")], [])


# Many


async def test_above_a_hundred_only_the_number_is_sent(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    crowd = [Person(str(number), f"user-{number}") for number in range(1, 101)]
    here, there = a.enter(*crowd[:60]), b.enter(*crowd[60:])
    await until(lambda: b.changes.get(GROUP, []) != [] and b.changes[GROUP][-1].count == 100)
    assert there.presence_for(crowd[0]).count == len(there.presence_for(crowd[0]).users) == 100
    extra = Person("101", "one-too-many")
    assert there.presence_for(extra) == Presence(101, [])
    here.enter(extra)
    await until(lambda: b.changes[GROUP][-1] == Change(101, None, None))
    assert there.presence_for(crowd[0]) == Presence(101, [])
    here.evict([extra.id])
    await until(lambda: b.changes[GROUP][-1].count == 100)
    last = b.changes[GROUP][-1]
    assert last.left == []
    assert {user.id for user in last.joined} == {user.id for user in crowd}


async def test_a_member_of_a_crowd_gets_all_names_when_it_shrinks(redis: Redis, sides: Any) -> None:
    a = sides()
    crowd = [Person(str(number), f"user-{number}") for number in range(1, 101)]
    people = a.enter(*crowd)
    await until(lambda: a.changes.get(GROUP, []) != [] and a.changes[GROUP][-1].count == 100)
    extra = Person("101", "one-too-many")
    page, earlier = Page(people.presence_for(extra)), Page(people.presence_for(crowd[1]))
    assert (page.count, page.names) == (101, None)
    people.enter(extra)
    people.evict(["1"])
    await until(lambda: a.left() == ["user-1"])
    for view in (page, earlier):
        view.hear(a.changes[GROUP][-1])
        assert view.count == 100
        assert {*view.names} == {*map(str, range(2, 102))}


def test_long_names_are_omitted_where_they_would_fill_a_frame() -> None:
    long = {str(number): f"{number}".ljust(150, "\U0001f642") for number in range(1, 30)}
    assert topic_presence._presence(long) == Presence(29, [])
    assert len(topic_presence._presence(dict(list(long.items())[:10])).users) == 10
    long_ids = {f"{number}".ljust(200, "k"): "short" for number in range(60)}
    assert topic_presence._presence(long_ids) == Presence(60, [])


async def test_comings_and_goings_are_gathered(redis: Redis, sides: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "MIN_SECONDS", INTERVAL)
    a, b = sides(), sides()
    for side in (a, b):
        side.tracker._interval = 0.5
    there = b.enter(BOB)
    await until(lambda: names(there) == {"bob"})
    b.changes.clear()
    began = asyncio.get_running_loop().time()
    for number in range(10, 90):
        a.enter(Person(str(number), f"user-{number}"))
        b.watch(f"room.{number}")  # Asks for a round at once.
        await asyncio.sleep(0.02)
    took = asyncio.get_running_loop().time() - began
    assert took > 1.5
    assert 2 <= len(b.changes[GROUP]) <= took / 0.45 + 1
    await until(lambda: len(b.joined()) == 80)


async def test_a_crowd_gets_changes_less_often(redis: Redis, sides: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "USERS_PER_SECOND", 30)
    a = sides()
    people = a.enter(*(Person(str(number), f"user-{number}") for number in range(1, 101)))
    await until(lambda: GROUP in a.changes)
    people.enter(Person("101", "one more"))
    await asyncio.sleep(1)
    assert len(a.changes[GROUP]) == 1
    await until(lambda: a.changes[GROUP][-1].count == 101)


@pytest.mark.parametrize("seed", range(4))
async def test_changes_sent_to_members_add_up_to_the_present_users(
    redis: Redis, sides: Any, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(topic_presence, "MAX_NAMED", 4)
    chance = random.Random(seed)
    crowd = [Person(str(number), f"user-{number}") for number in range(1, 9)]
    a, b = sides(), sides()
    pairs = [(side, side.watch()) for side in (a, b)]
    await until(lambda: all(people.announced is not None for _, people in pairs))
    # Of each socket: where it is, whose, what had been told before it came, and its page.
    sockets: list[tuple[Side, People, Person, int, Page]] = []
    for _, people in pairs:
        # Somebody who stays, so that there is always one who is told.
        people.enter(crowd[0])
    for _ in range(150):
        side, people = chance.choice(pairs)
        if sockets and chance.random() < 0.5:
            _, there, person, *_ = chance.choice(sockets)
            there.evict([person.id])
            sockets = [socket for socket in sockets if socket[1:3] != (there, person)]
        else:
            person = chance.choice(crowd[1:])
            page = Page(people.presence_for(person))
            people.enter(person)
            sockets.append((side, people, person, len(side.changes.get(GROUP, [])), page))
        await asyncio.sleep(chance.choice([0, 0, INTERVAL]))
    expected = {person.name for _, _, person, *_ in sockets} | {crowd[0].name}
    await until(lambda: all(names(people) == expected for _, people in pairs))
    assert any(change.joined is None for change in a.changes[GROUP])
    for side, _, _, since, page in sockets:
        for change in side.changes[GROUP][since:]:
            page.hear(change)
        assert page.count == len(expected)
        assert page.names is None or {*page.names.values()} == expected
        assert page.names is not None or len(expected) > 4
