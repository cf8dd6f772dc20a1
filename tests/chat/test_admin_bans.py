"""Bans in the admin: on the page of a room, in lists, and from a message."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from chat import bans, services
from chat.models import Room
from tests.support.admin_pages import MEMBERSHIPS, MESSAGES, post_message, shown_messages
from tests.support.bans import FAR, HOUR, ban_page, end_bans
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


# The room's page


@pytest.mark.parametrize(("span", "length"), [("hour", HOUR), ("day", 24 * HOUR), ("week", 168 * HOUR)])
def test_a_ban_from_the_page_of_a_room_needs_no_membership(
    admin: Any, charlie: Any, lounge: Room, span: str, length: timedelta
) -> None:
    post_message(charlie, lounge)
    page = admin.get(reverse("admin:chat_room_change", args=[lounge.pk])).content.decode()
    assert f'name="recent" value="{charlie.pk}"' in page
    before = timezone.now()
    answer = admin.post(ban_page(lounge), {"recent": str(charlie.pk), "span": span, "reason": "spam"})
    assert answer.headers["Location"] == reverse("admin:chat_room_change", args=[lounge.pk])
    membership = lounge.memberships.get()
    assert (membership.user, membership.role, membership.ban_reason) == (charlie, "none", "spam")
    assert before + length <= membership.banned_until <= timezone.now() + length
    assert shown_messages(answer)[0].startswith("charlie is banned from Lounge until 2")
    entry = LogEntry.objects.get()
    assert (entry.object_id, "charlie" in entry.change_message, "spam" in entry.change_message) == (
        str(lounge.pk),
        True,
        True,
    )


def test_a_user_is_chosen_by_the_search(admin: Any, charlie: Any, lounge: Room) -> None:
    admin.post(ban_page(lounge), {"user": str(charlie.pk), "span": "day"})
    assert lounge.memberships.get().user == charlie


def test_a_date_in_the_browsers_zone_is_that_moment(admin: Any, charlie: Any, lounge: Room) -> None:
    fields = {"user": charlie.pk, "span": "until", "until": "2099-01-01T01:00", "until_utc": "2098-12-31T12:00:00.000Z"}
    admin.post(ban_page(lounge), fields)
    assert lounge.memberships.get().banned_until == datetime.fromisoformat("2098-12-31T12:00:00+00:00")


def test_without_a_script_the_date_is_in_the_zone_that_is_named(admin: Any, charlie: Any, lounge: Room) -> None:
    assert '<span data-role="zone">UTC</span>' in admin.get(ban_page(lounge)).content.decode()
    admin.post(ban_page(lounge), {"user": charlie.pk, "span": "until", "until": "2099-01-01T01:00", "until_utc": ""})
    assert lounge.memberships.get().banned_until == datetime.fromisoformat("2099-01-01T01:00:00+00:00")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"span": "day"}, "Choose a user."),
        ({"span": "day", "recent": "bob", "user": "charlie"}, "Two users are chosen."),
        ({"span": "until", "user": "bob"}, "Choose the end of the ban."),
        ({"span": "until", "user": "bob", "until": "2001-01-01T00:00"}, "is in the past"),
        ({"span": "until", "user": "bob", "until": "9999-12-31T23:59"}, "100 years away"),
        ({"span": "until", "user": "bob", "until_utc": FAR.isoformat(), "until": "9999-12-31T23:59"}, "100 years away"),
        ({"span": "until", "user": "bob", "until": "tomorrow"}, "Enter a valid date/time."),
        ({"span": "day", "user": "bob", "reason": "a\u202eb"}, "U+202E is not allowed"),
        ({"span": "day", "user": "root"}, "You cannot ban yourself."),
        ({"span": "eternity", "user": "bob"}, ""),
        ({"span": "day", "user": "nobody"}, "Select a valid choice."),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_errors_are_shown_with_the_input_kept(
    admin: Any, root: Any, bob: Any, charlie: Any, lounge: Room, fields: dict[str, str], words: str
) -> None:
    post_message(bob, lounge)
    keys = {"bob": bob.pk, "charlie": charlie.pk, "root": root.pk, "nobody": 0}
    named = {name: keys[value] if name in ("recent", "user") else value for name, value in fields.items()}
    answer = admin.post(ban_page(lounge), {"reason": "because", **named})
    assert answer.status_code == 200
    assert words in answer.content.decode()
    assert 'value="because"' in answer.content.decode() or "reason" in fields
    assert not lounge.memberships.exists()


def test_errors_of_the_room_do_not_mention_a_ban(admin: Any, lounge: Room) -> None:
    answer = admin.post(reverse("admin:chat_room_change", args=[lounge.pk]), {"title": ""})
    assert answer.status_code == 200
    assert "Choose a user." not in answer.content.decode()


def test_banning_needs_the_permission_to_change_memberships(client: Any, charlie: Any, lounge: Room) -> None:
    stan = make_user("stan", is_staff=True)
    stan.user_permissions.set(Permission.objects.filter(codename="view_room"))
    client.force_login(stan)
    assert "data-ban" not in client.get(reverse("admin:chat_room_change", args=[lounge.pk])).content.decode()
    assert client.post(ban_page(lounge), {"user": charlie.pk, "span": "day"}).status_code == 403
    stan.user_permissions.set(Permission.objects.filter(codename__in=["view_room", "change_membership"]))
    # Staff without the permission to see users enter the name; they have no search.
    assert "admin-autocomplete" not in client.get(ban_page(lounge)).content.decode()
    wrong = client.post(ban_page(lounge), {"user": "charly", "span": "day"})
    assert "There is no user with this name." in wrong.content.decode()
    client.post(ban_page(lounge), {"user": "charlie", "span": "day"})
    assert lounge.memberships.get().user == charlie


def test_the_page_of_a_room_that_is_gone_leads_back(admin: Any) -> None:
    assert admin.get(reverse("admin:chat_room_ban", args=[0])).status_code == 302


# Lists


def test_members_are_banned_from_the_list_with_a_reason(admin: Any, bob: Any, root: Any, attic: Room) -> None:
    services.set_membership(room_id=attic.pk, user_id=root.pk)
    rows = [attic.memberships.get(user=user).pk for user in (bob, root)]
    answer = admin.post(MEMBERSHIPS, {"action": "ban_week", "_selected_action": rows, "reason": "loud"})
    assert shown_messages(answer) == [
        "1 membership banned for a week.",
        "Not banned for a week: root in Attic (You cannot ban yourself).",
    ]
    banned = attic.memberships.get(user=bob)
    assert (banned.ban_reason, banned.role) == ("loud", "member")
    assert "loud" in admin.get(MEMBERSHIPS).content.decode()
    admin.post(MEMBERSHIPS, {"action": "make_moderator", "_selected_action": [banned.pk]})
    banned.refresh_from_db()
    assert (banned.ban_reason, banned.role, banned.is_banned) == ("loud", "moderator", True)


@pytest.mark.parametrize(("given", "kept"), [("", "threats"), ("loud", "loud")])
@pytest.mark.parametrize("way", ["memberships", "messages"])
def test_a_ban_of_many_shortens_no_longer_one(
    admin: Any, bob: Any, attic: Room, way: str, given: str, kept: str
) -> None:
    message = post_message(bob, attic)
    until = timezone.now() + timedelta(days=365)
    bans.ban_user(room_id=attic.pk, user_id=str(bob.pk), until=until, reason="threats")
    membership = attic.memberships.get(user=bob)
    address, action, row = {
        "memberships": (MEMBERSHIPS, "ban", membership.pk),
        "messages": (MESSAGES, "ban_authors", message.pk),
    }[way]
    admin.post(address, {"action": action, "_selected_action": [row], "reason": given})
    membership.refresh_from_db()
    assert (membership.banned_until, membership.ban_reason) == (until, kept)


def test_a_ban_of_many_replaces_one_that_is_over(admin: Any, bob: Any, attic: Room) -> None:
    bans.ban_user(room_id=attic.pk, user_id=str(bob.pk), until=timezone.now() + HOUR, reason="threats")
    end_bans()
    membership = attic.memberships.get(user=bob)
    admin.post(MEMBERSHIPS, {"action": "ban", "_selected_action": [membership.pk], "reason": ""})
    membership.refresh_from_db()
    assert (membership.is_banned, membership.ban_reason) == (True, "")


def test_a_ban_of_oneself_is_refused_on_the_page_of_a_membership(admin: Any, root: Any, attic: Room) -> None:
    mine = services.set_membership(room_id=attic.pk, user_id=root.pk)
    fields = {"role": "member", "banned_until_0": "2099-01-01", "banned_until_1": "12:00:00", "ban_reason": ""}
    answer = admin.post(reverse("admin:chat_membership_change", args=[mine.pk]), fields)
    assert "You cannot ban yourself." in answer.content.decode()


def test_a_ban_that_is_too_long_is_an_error_on_the_page_of_a_membership(admin: Any, bob: Any, attic: Room) -> None:
    his = attic.memberships.get(user=bob)
    fields = {"role": "member", "banned_until_0": "9999-12-31", "banned_until_1": "23:59:59", "ban_reason": ""}
    answer = admin.post(reverse("admin:chat_membership_change", args=[his.pk]), fields)
    assert "The end of the ban is more than 100 years away." in answer.content.decode()
    his.refresh_from_db()
    assert his.banned_until is None


def test_an_author_is_banned_from_a_message(admin: Any, charlie: Any, lounge: Room) -> None:
    message = post_message(charlie, lounge, "rude")
    page = admin.get(reverse("admin:chat_message_change", args=[message.pk])).content.decode()
    address = f"{ban_page(lounge)}?user={charlie.pk}"
    assert f'<a href="{address}">Ban the author from this room</a>' in page
    chosen = f'name="recent" value="{charlie.pk}"'
    [radio] = [line for line in admin.get(address).content.decode().split("<input ") if chosen in line]
    assert "checked" in radio
    answer = admin.post(MESSAGES, {"action": "ban_authors", "_selected_action": [message.pk], "reason": "rude"})
    assert shown_messages(answer) == ["1 message handled: author banned for a day."]
    membership = lounge.memberships.get()
    assert (membership.user, membership.role, membership.ban_reason) == (charlie, "none", "rude")


def test_banned_strangers_are_not_counted_as_members(admin: Any, charlie: Any, attic: Room) -> None:
    bans.ban_user(room_id=attic.pk, user_id=str(charlie.pk), until=timezone.now() + HOUR)
    bans.ban_user(room_id=attic.pk, user_id=str(attic.memberships.first().user_id), until=timezone.now() + HOUR)
    [row] = admin.get(reverse("admin:chat_room_changelist"), {"q": "attic"}).context["cl"].result_list
    assert (row.member_count, row.banned_count) == (3, 2)
    page = admin.get(reverse("admin:chat_room_changelist"), {"q": "attic"}).text
    for query, count in (("member=yes", 3), ("banned=yes", 2)):
        link = f"{MEMBERSHIPS}?room__id__exact={attic.pk}&{query}"
        assert f'<a href="{link.replace("&", "&amp;")}">{count}</a>' in page
        assert len(admin.get(link).context["cl"].result_list) == count
    assert len(admin.get(f"{MEMBERSHIPS}?member=no").context["cl"].result_list) == 1
    page = admin.get(reverse("admin:accounts_user_changelist"), {"q": "charlie"}).text
    link = f"{MEMBERSHIPS}?user__exact={charlie.pk}&member=yes"
    assert f'<a href="{link.replace("&", "&amp;")}">0</a>' in page
    assert len(admin.get(link).context["cl"].result_list) == 0
