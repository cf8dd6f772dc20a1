"""Announcements of changed access to a room: recipients and time. On SQLite and on PostgreSQL."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import access, bans, services
from chat.models import Membership, Room
from hubbub.testing import published

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def version_of(room: Room) -> int:
    return Room.objects.values_list("access_version", flat=True).get(pk=room.pk)


def test_deleting_a_user_locks_no_room_that_posts_wait_for(alice: Any, attic: Room) -> None:
    before = version_of(attic)
    with transaction.atomic():
        # It locks the user's messages as well, and rooms in an order of its own: each could wait for the other.
        with CaptureQueriesContext(connection) as asked:
            alice.delete()
        assert not [room for room in asked if room["sql"].startswith(f'UPDATE "{Room._meta.db_table}"')]
    assert version_of(attic) == before + 1


def test_many_changes_in_one_transaction_are_one_announcement_per_room(attic: Room, lounge: Room) -> None:
    before = version_of(attic)
    services.set_membership(room_id=lounge.pk, user_id=Membership.objects.all()[0].user_id)
    with transaction.atomic():
        Membership.objects.all().delete()
    assert version_of(attic) == before + 1
    assert version_of(lounge) == 2


def test_a_rolled_back_change_is_not_announced_and_the_next_is(alice: Any, bob: Any, attic: Room) -> None:
    before = version_of(attic)
    with transaction.atomic():
        services.remove_membership(room_id=attic.pk, user_id=alice.pk)
        transaction.set_rollback(True)
    assert version_of(attic) == before
    for count, user in enumerate((alice, bob), 1):
        services.remove_membership(room_id=attic.pk, user_id=user.pk)
        assert version_of(attic) == before + count


def test_a_moved_membership_is_announced_in_both_rooms(alice: Any, attic: Room, lounge: Room) -> None:
    before = version_of(attic)
    membership = Membership.objects.get(room=attic, user=alice)
    membership.room = lounge
    membership.save()
    assert (version_of(attic), version_of(lounge)) == (before + 1, 1)


def test_a_room_that_only_bans_a_user_does_not_hear_the_name(
    alice: Any, charlie: Any, attic: Room, lounge: Room
) -> None:
    bans.ban_user(room_id=attic.pk, user_id=str(charlie.pk), until=timezone.now() + timedelta(hours=1))
    assert Membership.objects.get(room=attic, user=charlie).role == Membership.Role.NONE
    assert access.rooms_showing(str(charlie.pk)) == []
    services.set_membership(room_id=lounge.pk, user_id=charlie.pk)
    assert access.rooms_showing(str(charlie.pk)) == ["lounge"]
    assert access.rooms_showing(str(alice.pk)) == ["attic"]


def test_a_renamed_user_is_announced_in_the_rooms_that_show_the_name(charlie: Any, lounge: Room, attic: Room) -> None:
    services.set_membership(room_id=lounge.pk, user_id=charlie.pk)
    with published() as frames:
        charlie.username = "charlotte"
        charlie.save()
    assert frames == [{"type": "person.changed", "user": {"id": str(charlie.pk), "name": "charlotte"}}]
    with published("room/attic") as elsewhere:
        charlie.username = "charlie"
        charlie.save()
    assert elsewhere == []
