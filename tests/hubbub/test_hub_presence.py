"""Presence in a group of the hub: members on a real Redis."""

import asyncio
from typing import Any

import pytest

from hubbub.delivery.hub import Hub
from hubbub.delivery.member import Member
from hubbub.presence.topic_presence import Change
from hubbub.process.pacing import WRITES_PER_TURN
from hubbub.protocol import Person, Presence
from tests.support.hubs import Listener, until
from tests.support.sides import ALICE, BOB, CHARLIE, GROUP

pytestmark = pytest.mark.slow


async def test_members_of_a_hubs_group_are_present_from_their_joining_to_their_leaving(hub: Hub, settings: Any) -> None:
    hub._tracker._grace = 0.0

    def announce(group: str, change: Change) -> str:
        return " ".join([str(change.count), *(f"+{user.name}" for user in change.joined or [])])

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


async def test_a_joining_member_gets_no_change_that_its_answer_has(hub: Hub) -> None:
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


async def test_a_join_in_the_middle_of_a_delivery_gets_presence_at_its_end(hub: Hub) -> None:
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
    # The others have no notice of it yet. A new member gets the state that they have.
    assert hub.presence(GROUP, lates) == Presence(before + 1, [])
    hub.go_live(GROUP, lates)
    await until(lambda: "much" in last.got)
    await until(lambda: late.got != [])
    assert late.got == [first.got[-1]] == [f"{before}"]
    await everybody_is_gone(hub)


async def test_an_evicted_member_is_not_present(hub: Hub) -> None:
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
