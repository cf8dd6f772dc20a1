"""The admin of rooms, memberships and messages: what it shows, what it costs, and that it changes by services."""

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chat import posting, services
from chat.models import Membership, Message, Room
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]

ROOMS = reverse("admin:chat_room_changelist")
MEMBERSHIPS = reverse("admin:chat_membership_changelist")
MESSAGES = reverse("admin:chat_message_changelist")
NO_MEMBERS = {
    "memberships-TOTAL_FORMS": "0",
    "memberships-INITIAL_FORMS": "0",
}


def post_message(user: Any, room: Room, body: str = "hello") -> Message:
    posted = posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid.uuid4(), body=body)
    return Message.objects.get(room=room, seq=posted.seq)


def page_of(row: Any) -> str:
    return reverse(f"admin:chat_{row._meta.model_name}_change", args=[row.pk])


def act(client: Any, address: str, action: str, *rows: Any, **more: str) -> Any:
    fields = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(address, fields)


def told(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def fields_of(room: Room, **changes: str) -> dict[str, str]:
    """What a browser sends from the room's page: its fields, and a row for each membership."""
    fields = {"title": room.title, "description": room.description}
    fields |= {name: "on" for name in ("is_private", "is_archived") if getattr(room, name)}
    members = list(room.memberships.all())
    fields |= {"memberships-TOTAL_FORMS": str(len(members)), "memberships-INITIAL_FORMS": str(len(members))}
    for number, member in enumerate(members):
        fields |= {
            f"memberships-{number}-id": str(member.pk),
            f"memberships-{number}-room": str(room.pk),
            f"memberships-{number}-role": member.role,
        }
    return fields | changes


def staff_with(*codenames: str) -> Any:
    user = make_user("stan", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


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


def count_queries(client: Any, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


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


# Rooms


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
    assert [(one.user, one.role) for one in room.memberships.all()] == [(alice, "moderator")]
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


def test_what_the_service_refuses_stands_on_the_form_with_the_input(admin: Any, lounge: Room) -> None:
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
    left = {str(one.user): (one.role, one.is_banned) for one in attic.memberships.all()}
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
    assert told(response)[0].startswith("2 rooms ")
    assert (
        list(Room.objects.filter(pk__in=[room.pk for room in rooms]).values_list(field, "position")) == [(value, 1)] * 2
    )
    assert LogEntry.objects.count() == 2


def test_an_action_that_fails_for_some_says_for_which(admin: Any, lounge: Room, attic: Room) -> None:
    Room.objects.filter(pk=attic.pk).update(slug="Not A Slug")
    response = act(admin, ROOMS, "archive", lounge, attic)
    assert told(response) == [
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
    assert told(act(admin, MEMBERSHIPS, "ban", membership)) == ["1 membership banned for a day."]
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
    assert told(response) == ["1 message deleted."]
    bad.refresh_from_db()
    assert (bad.seq, bad.body, bad.position, bad.deleted_at is not None) == (1, "", 3, True)
    good.refresh_from_db()
    assert (good.body, good.position) == ("kind", 2)
    assert told(act(admin, MESSAGES, "moderate", bad, confirmed="yes"))[-1] == "These messages are already deleted."


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
