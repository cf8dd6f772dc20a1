"""A private room and staff outside of it: membership, and links to the admin."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.urls import reverse

from chat import bans, services
from chat.models import Room
from tests.support.admin_pages import IN_PLACE, ban, fields_in, history_of, page_of, shown_messages
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


def add_room(client: Any, **more: str) -> Any:
    fields = {"title": "Garden", "slug": "garden", "is_private": "on", "_save": "Save", **more}
    fields |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return client.post(reverse("admin:chat_room_add"), fields)


def test_the_maker_of_a_private_room_becomes_a_member_by_one_click(admin: Any, root: Any) -> None:
    saved = add_room(admin)
    room = Room.objects.get(slug="garden")
    assert saved.headers["Location"] == page_of(room)
    assert not room.memberships.exists()
    page = admin.get(page_of(room)).text
    assert "you are not a member" in page
    join = reverse("admin:chat_room_join", args=[room.pk])
    assert admin.get(join).status_code == 405
    answer = admin.post(join, fields_in(page, "outsider"))
    assert answer.headers["Location"] == page_of(room)
    assert shown_messages(answer)[-1] == "You are a member of Garden."
    assert [(membership.user, membership.role) for membership in room.memberships.all()] == [(root, "member")]
    assert "you are not a member" not in admin.get(page_of(room)).text
    assert "Garden" in admin.get("/").text
    assert history_of(admin, room)[-1] == "Added root as a member."


def test_becoming_a_member_takes_nothing_away_and_lifts_no_ban(admin: Any, root: Any, attic: Room) -> None:
    join = reverse("admin:chat_room_join", args=[attic.pk])
    services.set_membership(room_id=attic.pk, user_id=str(root.pk), role="moderator")
    assert "root is already a member." in admin.post(join, **IN_PLACE).text
    assert attic.memberships.get(user=root).role == "moderator"
    services.remove_membership(room_id=attic.pk, user_id=str(root.pk))
    ban(root, attic)
    assert "root is banned until" in admin.post(join, **IN_PLACE).text
    assert attic.memberships.get(user=root).role == "none"
    bans.lift_ban(room_id=attic.pk, user_id=str(root.pk))
    assert "You are a member of Attic." in admin.post(join, **IN_PLACE).text


def test_becoming_a_member_needs_the_permission_to_add_memberships(client: Any, attic: Room) -> None:
    stan = make_user("stan", is_staff=True)
    stan.user_permissions.set(Permission.objects.filter(codename="view_room"))
    client.force_login(stan)
    page = client.get(page_of(attic)).text
    assert "you are not a member" in page
    assert "Become a member" not in page
    assert client.post(reverse("admin:chat_room_join", args=[attic.pk])).status_code == 403
    assert not attic.memberships.filter(user=stan).exists()


def test_the_page_of_a_room_leads_to_its_page_in_the_admin(client: Any, alice: Any, attic: Room) -> None:
    def leads(user: Any) -> bool:
        client.force_login(user)
        shown = client.get(reverse("chat:room", args=["attic"])).text
        led = client.get(reverse("chat:manage", args=["attic"])).headers.get("Location") == page_of(attic)
        assert led == ("data-admin-path" in shown)
        return led

    stan = make_user("stan", is_staff=True)
    services.set_membership(room_id=attic.pk, user_id=str(stan.pk))
    for user in (alice, stan):
        assert not leads(user)
        user.user_permissions.set(Permission.objects.filter(codename="change_room"))
    assert (leads(alice), leads(stan)) == (False, True)
