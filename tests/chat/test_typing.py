"""Typing: told to the members, never stored, and without effect where the user may not write."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission

from chat import history, revocation, services, typing_rights
from chat.models import Room
from chat.topics import RoomTopic
from hubbub.testing import connect
from tests.support.topic_page import in_thread

pytestmark = [pytest.mark.django_db(transaction=True)]


async def heard(page: Any, other: Any) -> bool:
    """Whether the other page hears that this one types."""
    before = len(other.frames)
    await page.typing()
    return [frame["type"] for frame in other.frames[before:]] == ["room.typing"]


async def test_members_hear_of_it_and_nothing_is_stored(alice: Any, bob: Any, lounge: Room) -> None:
    async with connect(RoomTopic, "lounge", user=alice) as page, connect(RoomTopic, "lounge", user=bob) as other:
        await page.typing()
        user = {"id": str(alice.pk), "name": "alice"}
        assert await other.event("room.typing") == {"type": "room.typing", "topic": "room/lounge", "user": user}
    await lounge.arefresh_from_db()
    assert lounge.position == 0


async def test_in_an_archived_room_nobody_types(alice: Any, bob: Any, lounge: Room) -> None:
    async with connect(RoomTopic, "lounge", user=alice) as page, connect(RoomTopic, "lounge", user=bob) as other:
        for is_archived in (True, False):
            await in_thread(services.change_room)(room_id=lounge.pk, is_archived=is_archived)
            await other.event("room.changed")
            await in_thread(history.read_positions)(["lounge"])  # As each process does every two seconds.
            assert await heard(page, other) is not is_archived


async def test_a_reader_types_nothing_also_when_it_became_one_later(
    alice: Any, bob: Any, charlie: Any, attic: Room
) -> None:
    reads_all = await Permission.objects.aget(codename="read_any_room")
    await charlie.user_permissions.aadd(reads_all)
    await alice.user_permissions.aadd(reads_all)
    async with (
        connect(RoomTopic, "attic", user=charlie) as reader,
        connect(RoomTopic, "attic", user=alice) as page,
        connect(RoomTopic, "attic", user=bob) as other,
    ):
        assert reader.viewer["role"] == "reader"
        assert not await heard(reader, other)
        assert await heard(page, other)
        await in_thread(services.remove_membership)(room_id=attic.pk, user_id=alice.pk)
        await in_thread(revocation.denied_users)({"attic": {str(alice.pk)}})
        assert not await heard(page, other)


async def test_a_reader_who_becomes_a_member_types_at_once(bob: Any, charlie: Any, attic: Room) -> None:
    await charlie.user_permissions.aadd(await Permission.objects.aget(codename="read_any_room"))
    async with connect(RoomTopic, "attic", user=charlie) as page, connect(RoomTopic, "attic", user=bob) as other:
        assert not await heard(page, other)
        await in_thread(services.set_membership)(room_id=attic.pk, user_id=charlie.pk)
        # As each process checks access to the room after such a change.
        await in_thread(revocation.denied_users)({"attic": {str(charlie.pk), str(bob.pk)}})
        await page.typing()
        await other.event("room.typing")


def test_the_oldest_is_forgotten_past_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typing_rights, "_readers", {})
    monkeypatch.setattr(typing_rights, "MAX_NOTED", 2)
    for user_id in "abc":
        typing_rights.note_reader("attic", user_id, is_reader=True)
    assert [typing_rights.may_type("attic", user_id) for user_id in "abc"] == [True, False, False]
    typing_rights.note_reader("attic", "c", is_reader=False)
    assert typing_rights.may_type("attic", "c")
