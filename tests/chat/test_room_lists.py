"""Lists of rooms: the queries for many users, and what a user gets who loses a room while what moved is read."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import room_lists, services
from chat.models import Membership, PersonalState, Room
from chat.posting import post_message
from chat.serializers import rooms_topic
from chat.topics import RoomsTopic
from hubbub import users
from hubbub.testing import published
from hubbub.testing.capture import received
from hubbub.topics import watch_reading
from hubbub.topics.recovery import find
from tests.support.personas import make_user

pytestmark = pytest.mark.database


def ids(*people: Any) -> list[str]:
    return [users.id_of(person) for person in people]


def test_a_list_has_what_its_user_may_read_and_has_not_left(alice: Any, bob: Any) -> None:
    Room.objects.all().delete()
    for slug, private in (("open", False), ("left", False), ("banned", False), ("mine", True), ("theirs", True)):
        services.create_room(slug=slug, title=slug, is_private=private)
    room = {room.slug: room for room in Room.objects.all()}
    user = users.id_of(alice)
    services.set_membership(room_id=room["mine"].pk, user_id=user)
    soon = timezone.now() + timedelta(hours=1)
    services.set_membership(room_id=room["banned"].pk, user_id=user, role=Membership.Role.NONE, banned_until=soon)
    PersonalState.objects.create(user=alice, room=room["left"], has_left=True)
    services.set_membership(room_id=room["theirs"].pk, user_id=users.id_of(bob))
    lists = room_lists.slugs_for(ids(alice, bob), None)
    assert lists == {user: {"open", "mine"}, users.id_of(bob): {"open", "left", "banned", "theirs"}}
    among = room_lists.slugs_for(ids(alice, bob), ["mine", "left"])
    assert among == {user: {"mine"}, users.id_of(bob): {"left"}}


def test_the_queries_grow_neither_with_rooms_nor_with_users(db: None) -> None:
    people: list[Any] = []

    def queries(rooms: int, count: int) -> int:
        while len(people) < count:
            people.append(make_user(f"member-{len(people)}"))
        for number in range(Room.objects.filter(is_private=True).count(), rooms):
            room = services.create_room(slug=f"private-{number}", title="Private", is_private=True)
            Membership.objects.bulk_create(Membership(room=room, user=person) for person in people[:2])
        with CaptureQueriesContext(connection) as captured:
            lists = room_lists.slugs_for(ids(*people), None)
            entries = room_lists.entries(lists[users.id_of(people[0])])
        assert len(entries) >= rooms
        return len(captured)

    assert queries(5, 2) == queries(100, 30)


def test_a_user_who_loses_a_room_while_it_is_read_gets_nothing_of_it(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = services.create_room(slug="secret", title="Secret", is_private=True)
    for person in (alice, bob):
        services.set_membership(room_id=room.pk, user_id=users.id_of(person))
    topic = RoomsTopic()
    first = watch_reading.read_lists(topic, find, ids(alice, bob), (), (), ())
    known = {key: item for key, item in first.items.items() if item is not None}
    post_message(user_id=users.id_of(alice), slug="secret", client_id=uuid4(), body="for members")
    summaries = room_lists.entries

    def lose(slugs: Any) -> Any:
        """Bob is removed, and Alice writes, after the positions were read and before the summaries are."""
        services.remove_membership(room_id=room.pk, user_id=users.id_of(bob))  # The version of access rises later.
        post_message(user_id=users.id_of(alice), slug="secret", client_id=uuid4(), body="without Bob")
        return summaries(slugs)

    monkeypatch.setattr(room_lists, "entries", lose)
    read = watch_reading.read_moves(topic, find, known, ids(alice, bob))
    item = read.items["secret"]
    assert item is not None
    assert b"without Bob" in bytes(item.summary)
    assert "secret" in read.asked
    assert read.among == {users.id_of(alice): {"secret"}, users.id_of(bob): set()}


CHANGES = {
    "removal": lambda room, user: services.remove_membership(room_id=room.pk, user_id=user),
    "ban": lambda room, user: services.set_membership(
        room_id=room.pk, user_id=user, banned_until=timezone.now() + timedelta(days=1)
    ),
    "no role": lambda room, user: Membership.objects.filter(room=room, user=user).update(role=Membership.Role.NONE),
    "public": lambda room, user: Room.objects.filter(pk=room.pk).update(is_private=False),
}


@pytest.mark.parametrize("way", CHANGES)
def test_the_mark_of_a_room_changes_with_its_readers_in_the_transaction(way: str, alice: Any, bob: Any) -> None:
    room = services.create_room(slug="secret", title="Secret", is_private=True)
    for person in (alice, bob):
        services.set_membership(room_id=room.pk, user_id=users.id_of(person))
    before = room_lists.access_marks(["secret"])
    post_message(user_id=users.id_of(alice), slug="secret", client_id=uuid4(), body="changes nothing")
    services.set_membership(room_id=room.pk, user_id=users.id_of(alice), role=Membership.Role.MODERATOR)
    assert room_lists.access_marks(["secret"]) == before
    CHANGES[way](room, bob.pk)
    assert room_lists.access_marks(["secret"]) != before


def test_what_a_room_is_called_as_it_becomes_private_is_not_told_to_its_group(alice: Any) -> None:
    room = services.create_room(slug="plans", title="Plans")
    with published("room/plans") as frames:
        services.change_room(room_id=room.pk, title="Secret plans", is_private=True)
    assert "Secret" not in str([*frames])
    with published("room/plans") as frames:
        services.change_room(room_id=room.pk, title="More plans")
    assert "More plans" in str([*frames])


def test_hints_about_many_rooms_and_users_are_bounded() -> None:
    messages: list[Any] = []
    users, keys = [str(n) for n in range(1_500)], [f"room-{n}" for n in range(10_000)]
    with received(messages.append):
        rooms_topic().lists_changed(user_ids=users, keys=keys)
        rooms_topic().lists_changed(keys=["lounge"])
    *many, last = messages
    assert max(len(message.users) + len(message.keys) for message in many) <= 2_000
    assert [user for message in many for user in message.users] == users
    assert [key for message in many for key in message.keys] == keys
    assert (last.users, last.keys) == ([], ["lounge"])
