"""Rooms in the admin: their page, their actions, their deletion."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse

from chat import services
from chat.models import Message, Room
from tests.support.admin_pages import (
    NO_MEMBERS,
    ROOMS,
    act,
    count_queries,
    fields_of,
    page_of,
    post_message,
    shown_messages,
    staff_with,
)
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


def test_a_room_is_made_with_its_members(admin: Any, alice: Any) -> None:
    fields = {
        "title": "Garden",
        "slug": "garden",
        "description": "Plants",
        "is_private": "on",
        "memberships-TOTAL_FORMS": "1",
        "memberships-INITIAL_FORMS": "0",
        "memberships-0-user": str(alice.pk),
        "memberships-0-role": "moderator",
    }
    response = admin.post(reverse("admin:chat_room_add"), fields)
    assert response.status_code == 302
    room = Room.objects.get(slug="garden")
    assert (room.title, room.description, room.is_private, room.is_archived) == ("Garden", "Plants", True, False)
    assert [(membership.user, membership.role) for membership in room.memberships.all()] == [(alice, "moderator")]
    entry = LogEntry.objects.get()
    assert (entry.object_id, entry.is_addition()) == (str(room.pk), True)


def test_a_slug_that_is_taken_is_said_on_the_form(admin: Any, lounge: Room) -> None:
    response = admin.post(reverse("admin:chat_room_add"), {"title": "Mine", "slug": "lounge", **NO_MEMBERS})
    assert response.status_code == 200
    assert "already exists" in response.context["adminform"].form.errors["slug"][0]
    assert 'value="Mine"' in response.content.decode()


def test_a_title_that_deceives_is_said_on_the_form(admin: Any, lounge: Room) -> None:
    for title, words in (("a\u202egnp.exe", "U+202E is not allowed"), ("a\0b", "Null characters are not allowed")):
        answer = admin.post(reverse("admin:chat_room_add"), {"title": title, "slug": "trick"})
        assert words in str(answer.context["adminform"].form.errors["title"])
    assert not Room.objects.filter(slug="trick").exists()


def test_changing_a_room_takes_a_position(admin: Any, lounge: Room) -> None:
    response = admin.post(page_of(lounge), fields_of(lounge, title="Salon", is_archived="on"))
    assert response.status_code == 302
    lounge.refresh_from_db()
    assert (lounge.title, lounge.is_archived, lounge.position, lounge.changed_position) == ("Salon", True, 1, 1)


def test_saving_without_a_change_takes_no_position(admin: Any, lounge: Room) -> None:
    assert admin.post(page_of(lounge), fields_of(lounge)).status_code == 302
    lounge.refresh_from_db()
    assert lounge.position == 0


def test_the_slug_of_a_room_stays(admin: Any, lounge: Room) -> None:
    assert admin.post(page_of(lounge), fields_of(lounge, slug="other", title="Other")).status_code == 302
    lounge.refresh_from_db()
    assert (lounge.slug, lounge.title) == ("lounge", "Other")


def test_refusals_of_the_service_are_on_the_form_with_the_input(admin: Any, lounge: Room) -> None:
    # The form does not see a slug that it may not change; the service does.
    Room.objects.filter(pk=lounge.pk).update(slug="Not A Slug")
    response = admin.post(page_of(lounge), fields_of(lounge, title="Salon"))
    assert response.status_code == 200
    page = response.content.decode()
    assert "slug: Use small letters, digits and single hyphens." in page
    assert 'value="Salon"' in page
    lounge.refresh_from_db()
    assert (lounge.title, lounge.position) == ("Lounge", 0)
    assert not LogEntry.objects.exists()


def test_members_are_changed_added_and_removed_on_the_page_of_the_room(
    admin: Any, alice: Any, bob: Any, mona: Any, charlie: Any, attic: Room
) -> None:
    fields = fields_of(attic)
    number = {member.user: number for number, member in enumerate(attic.memberships.all())}
    fields |= {
        f"memberships-{number[alice]}-role": "moderator",
        # Another user in an old row changes nothing: who it is of stays.
        f"memberships-{number[alice]}-user": str(charlie.pk),
        f"memberships-{number[bob]}-DELETE": "on",
        f"memberships-{number[mona]}-banned_until_0": "2099-01-01",
        f"memberships-{number[mona]}-banned_until_1": "12:00:00",
        "memberships-3-user": str(charlie.pk),
        "memberships-3-role": "member",
        "memberships-TOTAL_FORMS": "4",
    }
    response = admin.post(page_of(attic), fields)
    assert response.status_code == 302
    left = {str(membership.user): (membership.role, membership.is_banned) for membership in attic.memberships.all()}
    assert left == {"alice": ("moderator", False), "charlie": ("member", False), "mona": ("moderator", True)}


def test_a_user_twice_in_a_room_is_said_on_the_form(admin: Any, attic: Room, alice: Any) -> None:
    fields = fields_of(attic) | {
        "memberships-3-user": str(alice.pk),
        "memberships-3-role": "member",
        "memberships-TOTAL_FORMS": "4",
    }
    response = admin.post(page_of(attic), fields)
    assert response.status_code == 200
    assert attic.memberships.count() == 3


def test_the_page_of_a_room_costs_the_same_whatever_its_members(admin: Any, attic: Room) -> None:
    admin.get(page_of(attic))
    with_three = count_queries(admin, page_of(attic))
    for number in range(20):
        services.set_membership(room_id=attic.pk, user_id=make_user(f"user-{number}").pk)
    assert count_queries(admin, page_of(attic)) == with_three


def test_a_room_of_more_members_than_a_form_holds_can_still_be_changed(admin: Any, lounge: Room) -> None:
    for number in range(101):
        services.set_membership(room_id=lounge.pk, user_id=make_user(f"user-{number}").pk)
    assert "memberships-TOTAL_FORMS" not in admin.get(page_of(lounge)).content.decode()
    assert admin.post(page_of(lounge), {"title": "Salon"}).status_code == 302
    lounge.refresh_from_db()
    assert (lounge.title, lounge.memberships.count()) == ("Salon", 101)


@pytest.mark.parametrize(
    ("action", "field", "value"),
    [
        ("archive", "is_archived", True),
        ("unarchive", "is_archived", False),
        ("make_private", "is_private", True),
        ("make_public", "is_private", False),
    ],
)
def test_actions_change_the_rooms_that_are_not_so_yet(admin: Any, action: str, field: str, value: bool) -> None:
    rooms = [services.create_room(slug=f"room-{n}", title=f"Room {n}", **{field: not value}) for n in range(2)]
    response = act(admin, ROOMS, action, *rooms)
    assert shown_messages(response)[0].startswith("2 rooms ")
    assert (
        list(Room.objects.filter(pk__in=[room.pk for room in rooms]).values_list(field, "position")) == [(value, 1)] * 2
    )
    assert LogEntry.objects.count() == 2


def test_an_action_that_fails_for_some_says_for_which(admin: Any, lounge: Room, attic: Room) -> None:
    Room.objects.filter(pk=attic.pk).update(slug="Not A Slug")
    response = act(admin, ROOMS, "archive", lounge, attic)
    assert shown_messages(response) == [
        "1 room archived.",
        "Not archived: Attic (Use small letters, digits and single hyphens).",
    ]
    assert list(Room.objects.filter(is_archived=True)) == [lounge]


def test_actions_need_the_permission_to_change_rooms(client: Any, lounge: Room) -> None:
    client.force_login(staff_with("view_room"))
    act(client, ROOMS, "archive", lounge)
    lounge.refresh_from_db()
    assert not lounge.is_archived


@pytest.mark.parametrize("with_action", [True, False])
def test_deleting_a_room_deletes_its_messages_after_asking(
    client: Any, alice: Any, attic: Room, with_action: bool
) -> None:
    client.force_login(staff_with("view_room", "delete_room"))
    post_message(alice, attic)

    def delete(**more: str) -> Any:
        if with_action:
            return act(client, ROOMS, "delete_selected", attic, **more)
        return client.post(reverse("admin:chat_room_delete", args=[attic.pk]), more)

    asked = delete() if with_action else client.get(reverse("admin:chat_room_delete", args=[attic.pk]))
    page = asked.content.decode()
    assert "Messages: 1" in page
    assert "Memberships: 3" in page
    assert Room.objects.filter(pk=attic.pk).exists()
    assert delete(post="yes").status_code == 302
    assert not Room.objects.filter(pk=attic.pk).exists()
    assert not Message.objects.exists()
