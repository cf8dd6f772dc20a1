"""Memberships and messages in the admin; lists, their search and their cost."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from chat import services
from chat.models import Membership, Room
from tests.support.admin_pages import (
    MEMBERSHIPS,
    MESSAGES,
    ROOMS,
    act,
    count_queries,
    page_of,
    post_message,
    shown_messages,
    staff_with,
)
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


# Lists


@pytest.mark.parametrize("address", [ROOMS, MEMBERSHIPS, MESSAGES])
def test_a_list_costs_the_same_with_one_row_and_with_twenty(admin: Any, alice: Any, address: str) -> None:
    def add(number: int) -> None:
        room = services.create_room(slug=f"room-{number}", title=f"Room {number}")
        services.set_membership(room_id=room.pk, user_id=make_user(f"user-{number}").pk)
        post_message(alice, room)

    Room.objects.all().delete()
    add(0)
    admin.get(address)  # Fills Django's cache of content types.
    with_one = count_queries(admin, address)
    for number in range(1, 20):
        add(number)
    assert count_queries(admin, address) == with_one


def test_the_list_of_rooms_counts_members_and_messages(admin: Any, alice: Any, attic: Room) -> None:
    for _ in range(4):
        post_message(alice, attic)
    page = admin.get(ROOMS, {"q": "attic"}).content.decode()
    assert f'<a href="{MEMBERSHIPS}?room__id__exact={attic.pk}&amp;member=yes">3</a>' in page
    assert f'<a href="{MESSAGES}?room__id__exact={attic.pk}">4</a>' in page


def test_lists_are_searched_and_filtered(admin: Any, alice: Any, bob: Any, lounge: Room, attic: Room) -> None:
    post_message(alice, lounge, "the kettle boils")
    gone = post_message(bob, attic, "the cat sleeps")
    services.moderate_message(message_id=gone.pk)
    services.set_membership(room_id=attic.pk, user_id=bob.pk, banned_until=timezone.now() + timedelta(hours=1))

    def rows(address: str, **query: Any) -> set[str]:
        return {str(row) for row in admin.get(address, query).context["cl"].result_list}

    assert rows(ROOMS, q="lou") == {"Lounge"}
    assert rows(ROOMS, is_private__exact=1) == {"Attic"}
    assert rows(MEMBERSHIPS, q="bob") == {"bob in Attic"}
    assert rows(MEMBERSHIPS, banned="yes") == {"bob in Attic"}
    assert rows(MEMBERSHIPS, banned="no") == {"alice in Attic", "mona in Attic"}
    assert rows(MEMBERSHIPS, role__exact="moderator") == {"mona in Attic"}
    assert rows(MESSAGES, q="kettle") == {"lounge #1"}
    assert rows(MESSAGES, state="deleted") == {"attic #1"}
    assert rows(MESSAGES, state="present") == {"lounge #1"}
    assert rows(MESSAGES, room__id__exact=attic.pk) == {"attic #1"}


# Memberships


def test_a_membership_is_made_and_its_user_and_room_stay(admin: Any, alice: Any, bob: Any, lounge: Room) -> None:
    fields = {"room": str(lounge.pk), "user": str(alice.pk), "role": "member"}
    assert admin.post(reverse("admin:chat_membership_add"), fields).status_code == 302
    membership = Membership.objects.get()
    fields = {"user": str(bob.pk), "role": "moderator"}
    assert admin.post(page_of(membership), fields).status_code == 302
    membership.refresh_from_db()
    assert (membership.user, membership.room, membership.role) == (alice, lounge, "moderator")


def test_a_second_membership_of_the_same_user_is_refused_on_the_form(admin: Any, alice: Any, attic: Room) -> None:
    fields = {"room": str(attic.pk), "user": str(alice.pk), "role": "moderator"}
    response = admin.post(reverse("admin:chat_membership_add"), fields)
    assert response.status_code == 200
    assert response.context["errors"]


def test_a_ban_for_a_day_keeps_the_role_and_can_be_lifted(admin: Any, mona: Any, attic: Room) -> None:
    membership = attic.memberships.get(user=mona)
    before = timezone.now()
    assert shown_messages(act(admin, MEMBERSHIPS, "ban", membership)) == ["1 membership banned for a day."]
    membership.refresh_from_db()
    assert membership.role == "moderator"
    assert membership.banned_until is not None
    assert before + timedelta(days=1) <= membership.banned_until <= timezone.now() + timedelta(days=1)
    act(admin, MEMBERSHIPS, "lift_ban", membership)
    membership.refresh_from_db()
    assert membership.banned_until is None


def test_roles_change_and_memberships_end_in_bulk(admin: Any, attic: Room) -> None:
    act(admin, MEMBERSHIPS, "make_moderator", *attic.memberships.all())
    assert set(attic.memberships.values_list("role", flat=True)) == {"moderator"}
    act(admin, MEMBERSHIPS, "make_member", *attic.memberships.all())
    assert set(attic.memberships.values_list("role", flat=True)) == {"member"}
    act(admin, MEMBERSHIPS, "delete_selected", *attic.memberships.all(), post="yes")
    assert not attic.memberships.exists()


# Messages


def test_a_message_cannot_be_added_changed_or_deleted(admin: Any, alice: Any, lounge: Room) -> None:
    message = post_message(alice, lounge, "hello")
    assert admin.get(page_of(message)).status_code == 200
    assert admin.get(reverse("admin:chat_message_add")).status_code == 403
    assert admin.post(page_of(message), {"body": "words in her mouth"}).status_code == 403
    assert admin.post(reverse("admin:chat_message_delete", args=[message.pk]), {"post": "yes"}).status_code == 403
    act(admin, MESSAGES, "delete_selected", message, post="yes")
    message.refresh_from_db()
    assert message.body == "hello"


def test_moderating_asks_first_and_keeps_the_place(admin: Any, alice: Any, lounge: Room) -> None:
    bad, good = post_message(alice, lounge, "<b>rude</b>"), post_message(alice, lounge, "kind")
    asked = act(admin, MESSAGES, "moderate", bad)
    page = asked.content.decode()
    assert "&lt;b&gt;rude&lt;/b&gt;" in page
    assert "kind" not in page
    bad.refresh_from_db()
    assert bad.deleted_at is None
    response = act(admin, MESSAGES, "moderate", bad, confirmed="yes")
    assert shown_messages(response) == ["1 message deleted."]
    bad.refresh_from_db()
    assert (bad.seq, bad.body, bad.position, bad.deleted_at is not None) == (1, "", 3, True)
    good.refresh_from_db()
    assert (good.body, good.position) == ("kind", 2)
    assert (
        shown_messages(act(admin, MESSAGES, "moderate", bad, confirmed="yes"))[-1]
        == "These messages are already deleted."
    )


def test_moderating_needs_the_permission_to_change_messages(client: Any, alice: Any, lounge: Room) -> None:
    message = post_message(alice, lounge, "hello")
    client.force_login(staff_with("view_message"))
    act(client, MESSAGES, "moderate", message, confirmed="yes")
    message.refresh_from_db()
    assert message.deleted_at is None
    client.force_login(mod := make_user("mod", is_staff=True))
    mod.user_permissions.set(Permission.objects.filter(codename="change_message"))
    act(client, MESSAGES, "moderate", message, confirmed="yes")
    message.refresh_from_db()
    assert message.deleted_at is not None
