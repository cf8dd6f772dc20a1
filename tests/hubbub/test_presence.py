"""Presence of several processes on a real Redis: who is here, once, and what of it is told."""

import asyncio
import random
from typing import Any

import pytest
from redis import Redis

from hubbub.delivery.hub import Hub
from hubbub.delivery.member import Member
from hubbub.presence import topic_presence, tracker
from hubbub.presence.topic_presence import Change, People
from hubbub.process.pacing import WRITES_PER_TURN
from hubbub.protocol import Person, Presence
from tests.support.hubs import Listener, until
from tests.support.sides import ALICE, BOB, CHARLIE, GRACE, GROUP, INTERVAL, Page, Side, names

pytestmark = pytest.mark.slow


# Who is here


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


async def test_a_new_name_is_told_to_all_and_nobody_has_left(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE, BOB), b.enter(CHARLIE)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
    here.rename("1", "carol")
    here.rename("9", "nobody")
    await until(lambda: names(here) == names(there) == {"carol", "bob", "charlie"})
    assert a.joined()[-1] == b.joined()[-1] == "carol"
    assert a.left() == b.left() == []


async def test_who_comes_back_within_the_grace_was_never_away(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE, BOB), b.enter(CHARLIE)
    await until(lambda: names(here) == names(there) == {"alice", "bob", "charlie"})
    told = len(a.changes[GROUP]), len(b.changes[GROUP])
    for _ in range(5):
        here.leave(ALICE.id)
        await asyncio.sleep(GRACE / 2)
        here.enter(ALICE)
    # By way of another process, too.
    here.leave(ALICE.id)
    there.enter(ALICE)
    await asyncio.sleep(2 * GRACE)
    assert (len(a.changes[GROUP]), len(b.changes[GROUP])) == told


async def test_who_is_about_to_enter_counts_for_himself_and_is_told_to_the_others(redis: Redis, sides: Any) -> None:
    a = sides()
    people = a.enter(ALICE)
    await until(lambda: names(people) == {"alice"})
    assert people.presence_for(BOB) == Presence(2, [ALICE, BOB])
    assert names(people) == {"alice"}
    people.enter(BOB)
    await until(lambda: a.changes[GROUP][-1] == Change(2, [BOB], []))


async def test_who_is_shut_out_is_gone_at_once(redis: Redis, sides: Any) -> None:
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


async def test_another_name_is_told_as_a_join(redis: Redis, sides: Any) -> None:
    a, b = sides(), sides()
    here, there = a.enter(ALICE), b.enter(BOB)
    await until(lambda: names(there) == {"alice", "bob"})
    here.enter(Person(ALICE.id, "alice.liddell"))
    await until(lambda: names(there) == {"alice.liddell", "bob"})
    assert b.changes[GROUP][-1] == Change(2, [Person("1", "alice.liddell")], [])


# Many


async def test_above_a_hundred_only_the_number_is_told(redis: Redis, sides: Any) -> None:
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
    assert {one.id for one in last.joined} == {one.id for one in crowd}


async def test_who_came_as_one_too_many_hears_all_names_when_they_can_be_told(redis: Redis, sides: Any) -> None:
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
    for one in (page, earlier):
        one.hear(a.changes[GROUP][-1])
        assert one.count == 100
        assert {*one.names} == {*map(str, range(2, 102))}


def test_long_names_are_not_told_where_they_would_fill_a_frame() -> None:
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


async def test_a_crowd_is_told_less_often(redis: Redis, sides: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracker, "USERS_PER_SECOND", 30)
    a = sides()
    people = a.enter(*(Person(str(number), f"user-{number}") for number in range(1, 101)))
    await until(lambda: GROUP in a.changes)
    people.enter(Person("101", "one more"))
    await asyncio.sleep(1)
    assert len(a.changes[GROUP]) == 1
    await until(lambda: a.changes[GROUP][-1].count == 101)


@pytest.mark.parametrize("seed", range(4))
async def test_what_members_are_told_adds_up_to_who_is_there(
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
            sockets = [one for one in sockets if one[1:3] != (there, person)]
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


# In a hub


async def test_members_of_a_hubs_group_are_present_from_their_joining_to_their_leaving(hub: Hub, settings: Any) -> None:
    hub._tracker._grace = 0.0

    def announce(group: str, change: Change) -> str:
        return " ".join([str(change.count), *(f"+{one.name}" for one in change.joined or [])])

    async def join(person: Person) -> tuple[Listener, Member]:
        outbox = Listener()
        return outbox, await hub.join(GROUP, outbox, None, person.id, person.name, announce)

    outbox, alices = await join(ALICE)
    await until(lambda: hub.presence(GROUP, alices) == Presence(1, [ALICE]))
    hub.go_live(GROUP, alices)
    pending, bobs = await join(BOB)
    await until(lambda: outbox.got == ["1 +alice"])
    # Bob has not been let in yet, nor told anything.
    assert hub.presence(GROUP, bobs) == Presence(2, [ALICE, BOB])
    hub.go_live(GROUP, bobs)
    await until(lambda: outbox.got[-1] == "2 +bob")
    # His socket joins again, and then leaves.
    again = await hub.join(GROUP, pending, None, BOB.id, BOB.name, announce)
    hub.leave(GROUP, bobs)
    hub.leave(GROUP, bobs)
    hub.go_live(GROUP, again)
    await asyncio.sleep(1.5)
    assert outbox.got[-1] == "2 +bob"
    hub.leave(GROUP, again)
    await until(lambda: outbox.got[-1] == "1")
    hub.leave(GROUP, alices)
    await until(lambda: hub.groups == [] and not hub._tracker._groups)


async def test_a_joining_member_is_not_told_afterwards_what_its_answer_already_said(hub: Hub) -> None:
    async def join(person: Person) -> tuple[Listener, Member]:
        outbox = Listener()
        member = await hub.join(GROUP, outbox, None, person.id, person.name, lambda _, change: f"{change.count}")
        return outbox, member

    earlier, alices = await join(ALICE)
    hub.go_live(GROUP, alices)
    joining, bobs = await join(BOB)
    await until(lambda: earlier.got == ["1"])
    _, charlies = await join(CHARLIE)
    hub.go_live(GROUP, charlies)
    await until(lambda: earlier.got == ["1", "2"])
    assert hub.presence(GROUP, bobs) == Presence(3, [ALICE, CHARLIE, BOB])
    hub.go_live(GROUP, bobs)
    assert joining.got == []
    await until(lambda: earlier.got == ["1", "2", "3"])
    assert joining.got == ["3"]
    await everybody_is_gone(hub)


async def test_who_comes_in_the_middle_of_a_delivery_is_told_who_is_there_when_it_has_ended(hub: Hub) -> None:
    async def join(person: Person) -> tuple[Listener, Member]:
        outbox = Listener()
        return outbox, await hub.join(GROUP, outbox, None, person.id, person.name, lambda _, change: f"{change.count}")

    outboxes = []
    for number in range(1, WRITES_PER_TURN + 200):
        outbox, member = await join(Person(str(number), f"user-{number}"))
        hub.go_live(GROUP, member)
        outboxes.append(outbox)
    first, last = outboxes[0], outboxes[-1]
    people = hub._tracker._groups[GROUP]
    await until(lambda: people.announced is not None and last.got != [])
    before = len(people.announced or {})
    assert before == len(outboxes)
    hub._dispatch({"type": "hubbub.frame", "group": GROUP, "text": "much"})
    while "much" not in first.got:
        await asyncio.sleep(0)
    late, lates = await join(Person("10000", "late"))
    assert "much" not in last.got
    del people.local_users["1"]
    hub._tracker._announce(people)
    # The others have not heard of it yet, and whoever comes now is told what they know.
    assert hub.presence(GROUP, lates) == Presence(before + 1, [])
    hub.go_live(GROUP, lates)
    await until(lambda: "much" in last.got)
    await until(lambda: late.got != [])
    assert late.got == [first.got[-1]] == [f"{before}"]
    await everybody_is_gone(hub)


async def test_who_is_shut_out_of_a_hubs_group_is_not_present_any_more(hub: Hub) -> None:
    def announce(group: str, change: Change) -> str:
        return f"{change.count} {len(change.left or [])} left"

    outboxes = [Listener() for _ in range(3)]
    members = []
    for outbox, person in zip(outboxes, (ALICE, ALICE, BOB), strict=True):
        member = await hub.join(
            GROUP,
            outbox,
            None,
            person.id,
            person.name,
            lambda _, change: f"{change.count} {len(change.left or [])} left",
        )
        hub.go_live(GROUP, member)
        members.append(member)
    await until(lambda: outboxes[2].got[-1:] == ["2 0 left"])
    hub._dispatch({"type": "hubbub.end", "group": GROUP, "text": "out", "evicted": [ALICE.id]})
    await until(lambda: outboxes[2].got[-1] == "1 1 left")
    assert outboxes[0].got[-1] == "out"
    hub.leave(GROUP, members[0])
    assert hub.presence(GROUP, members[2]) == Presence(1, [BOB])
    await everybody_is_gone(hub)


async def everybody_is_gone(hub: Hub) -> None:
    """Also from Redis, which all tests share."""
    hub._dispatch({"type": "hubbub.end", "group": GROUP, "text": "closed", "evicted": "all"})
    await until(lambda: hub.groups == [] and not hub._tracker._groups)
