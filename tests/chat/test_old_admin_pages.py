"""Admin pages opened before a ban or an unban overwrite nothing newer."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.utils import timezone

from chat import bans
from chat.models import Room
from tests.support.admin_pages import DAY, ban, fields_in, page_of, post_message, row_of
from tests.support.bans import ban_page
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


def test_an_old_page_does_not_replace_a_newer_ban(admin: Any, bob: Any, attic: Room) -> None:
    post_message(bob, attic)
    fields = fields_in(admin.get(page_of(attic)).text, "ban")
    newer = ban(bob, attic, days=365, reason="threats")
    hour = {"recent": str(bob.pk), "span": "hour", "reason": ""}
    page = admin.post(ban_page(attic), {**fields, **hour}).text
    assert f"bob is banned until {bans.end_of(newer)} (reason: threats)." in page
    assert attic.memberships.get(user=bob).banned_until == newer.banned_until
    # Now the page shows it.
    assert admin.post(ban_page(attic), {**fields_in(page, "ban"), **hour}).status_code == 302
    assert attic.memberships.get(user=bob).banned_until < timezone.now() + DAY


def test_an_old_page_does_not_lift_a_newer_ban(admin: Any, bob: Any, attic: Room) -> None:
    ban(bob, attic)
    fields = fields_in(admin.get(page_of(attic)).text, "ban")
    newer = ban(bob, attic, days=365, reason="threats")
    page = admin.post(ban_page(attic), {**fields, "lift": bob.pk}).text
    assert f"bob is banned until {bans.end_of(newer)} (reason: threats)." in page
    assert attic.memberships.get(user=bob).is_banned
    admin.post(ban_page(attic), {**fields_in(page, "ban"), "lift": bob.pk})
    assert not attic.memberships.get(user=bob).is_banned


def test_an_old_page_of_a_room_saves_its_own_changes_alone(admin: Any, bob: Any, attic: Room) -> None:
    fields = fields_in(admin.get(page_of(attic)).text, "room_form")
    newer = ban(bob, attic, days=365, reason="threats")
    row = row_of(newer, fields)
    answer = admin.post(page_of(attic), {**fields, "title": "Loft", f"{row}-role": "moderator"})
    assert answer.status_code == 302
    his = attic.memberships.get(user=bob)
    assert (his.role, his.banned_until, his.ban_reason) == ("moderator", newer.banned_until, "threats")


@pytest.mark.parametrize("change", ["other end", "deleted"])
def test_an_old_page_of_a_room_does_not_change_a_newer_ban(admin: Any, bob: Any, attic: Room, change: str) -> None:
    fields = fields_in(admin.get(page_of(attic)).text, "room_form")
    newer = ban(bob, attic, days=365, reason="threats")
    row = row_of(newer, fields)
    changes = {
        "other end": {f"{row}-banned_until_0": "2099-01-01", f"{row}-banned_until_1": "12:00:00"},
        "deleted": {f"{row}-DELETE": "on"},
    }[change]
    answer = admin.post(page_of(attic), {**fields, "title": "Loft", **changes})
    assert f"bob is banned until {bans.end_of(newer)} (reason: threats)." in answer.text
    assert 'value="Loft"' in answer.text
    attic.refresh_from_db()
    assert (attic.title, attic.memberships.get(user=bob).banned_until) == ("Attic", newer.banned_until)
    # The page that says so still does not know of it.
    again = {**fields_in(answer.text, "room_form"), **changes}
    assert admin.post(page_of(attic), again).status_code == 200
    assert attic.memberships.get(user=bob).banned_until == newer.banned_until


def test_an_old_page_of_a_membership_does_not_change_a_newer_ban(admin: Any, bob: Any, attic: Room) -> None:
    first = ban(bob, attic)
    fields = fields_in(admin.get(page_of(first)).text, "membership_form")
    newer = ban(bob, attic, days=365, reason="threats")
    emptied = {"banned_until_0": "", "banned_until_1": ""}
    answer = admin.post(page_of(first), {**fields, **emptied})
    assert f"bob is banned until {bans.end_of(newer)} (reason: threats)." in answer.text
    assert attic.memberships.get(user=bob).banned_until == newer.banned_until
    assert admin.post(page_of(first), {**fields, "role": "moderator"}).status_code == 302
    his = attic.memberships.get(user=bob)
    assert (his.role, his.banned_until) == ("moderator", newer.banned_until)
    fields = fields_in(admin.get(page_of(first)).text, "membership_form")
    assert admin.post(page_of(first), {**fields, **emptied}).status_code == 302
    assert not attic.memberships.get(user=bob).is_banned


def test_a_page_that_shows_a_row_that_is_gone_is_saved(admin: Any, charlie: Any, lounge: Room) -> None:
    ban(charlie, lounge)
    fields = fields_in(admin.get(page_of(lounge)).text, "room_form")
    bans.lift_ban(room_id=lounge.pk, user_id=str(charlie.pk))
    assert admin.post(page_of(lounge), {**fields, "title": "Salon"}).status_code == 302
    lounge.refresh_from_db()
    assert (lounge.title, lounge.memberships.count()) == ("Salon", 0)


def test_staff_who_may_only_see_memberships_open_the_page(client: Any, bob: Any, attic: Room) -> None:
    ban(bob, attic)
    stan = make_user("stan", is_staff=True)
    stan.user_permissions.set(Permission.objects.filter(codename__in=["change_room", "view_membership"]))
    client.force_login(stan)
    page = client.get(page_of(attic))
    assert "bob in Attic" in page.text
    fields = fields_in(page.text, "room_form")
    assert client.post(page_of(attic), {**fields, "title": "Loft"}).status_code == 302
    attic.refresh_from_db()
    assert (attic.title, attic.memberships.get(user=bob).is_banned) == ("Loft", True)
