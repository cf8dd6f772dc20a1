"""The page of a room in the admin: bans in its history and on it, forms sent without leaving it, reports."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.urls import reverse
from django.utils import timezone

from chat import bans
from chat.models import Membership, Room
from tests.support.admin_pages import (
    IN_PLACE,
    MEMBERSHIPS,
    MESSAGES,
    ban,
    fields_in,
    history_of,
    page_of,
    post_message,
    row_of,
    shown_messages,
)
from tests.support.bans import ban_page
from tests.support.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static"), pytest.mark.slow]

# History


def lift_on_the_page(client: Any, ban: Membership) -> None:
    fields = fields_in(client.get(page_of(ban.room)).text, "ban")
    client.post(ban_page(ban.room), {**fields, "lift": str(ban.user_id)})


def lift_by_the_form(client: Any, ban: Membership) -> None:
    fields = fields_in(client.get(page_of(ban)).text, "membership_form")
    client.post(page_of(ban), {**fields, "role": "member", "banned_until_0": "", "banned_until_1": ""})


def lift_in_the_rows(client: Any, ban: Membership) -> None:
    fields = fields_in(client.get(page_of(ban.room)).text, "room_form")
    row = row_of(ban, fields)
    emptied = {f"{row}-role": "member", f"{row}-banned_until_0": "", f"{row}-banned_until_1": ""}
    client.post(page_of(ban.room), {**fields, **emptied})


def delete_in_the_rows(client: Any, ban: Membership) -> None:
    fields = fields_in(client.get(page_of(ban.room)).text, "room_form")
    client.post(page_of(ban.room), {**fields, f"{row_of(ban, fields)}-DELETE": "on"})


def delete_by_the_form(client: Any, ban: Membership) -> None:
    client.post(reverse("admin:chat_membership_delete", args=[ban.pk]), {"post": "yes"})


def act(client: Any, action: str, ban: Membership, **more: str) -> Any:
    return client.post(MEMBERSHIPS, {"action": action, "_selected_action": [ban.pk], **more})


@pytest.mark.parametrize(
    "lift",
    [
        lift_on_the_page,
        lift_by_the_form,
        lift_in_the_rows,
        delete_in_the_rows,
        delete_by_the_form,
        lambda client, ban: act(client, "lift_ban", ban),
        lambda client, ban: act(client, "delete_selected", ban, post="yes"),
    ],
    ids=["page", "form", "rows", "row deleted", "deleted", "action", "action deletes"],
)
@pytest.mark.parametrize("name", ["bob", "charlie"])
def test_lifting_is_in_the_history_of_the_room(
    request: pytest.FixtureRequest, admin: Any, attic: Room, name: str, lift: Callable[[Any, Membership], None]
) -> None:
    user = request.getfixturevalue(name)
    banned = ban(user, attic, reason="loud")
    end = bans.end_of(banned)
    lift(admin, banned)
    assert not any(membership.is_banned for membership in attic.memberships.filter(user=user))
    lifted = [line for line in history_of(admin, attic) if line.startswith("Lifted")]
    assert lifted == [f"Lifted the ban of {name}, which ran until {end}."]


def test_bans_by_every_way_are_in_the_history_of_the_room(admin: Any, bob: Any, attic: Room) -> None:
    message = post_message(bob, attic)
    his = attic.memberships.get(user=bob)
    until = {"banned_until_0": "2099-01-01", "banned_until_1": "12:00:00"}
    admin.post(ban_page(attic), {"recent": str(bob.pk), "span": "day", "reason": "one"})
    bans.lift_ban(room_id=attic.pk, user_id=str(bob.pk))
    act(admin, "ban_week", his, reason="two")
    bans.lift_ban(room_id=attic.pk, user_id=str(bob.pk))
    admin.post(MESSAGES, {"action": "ban_authors", "_selected_action": [message.pk], "reason": "three"})
    bans.lift_ban(room_id=attic.pk, user_id=str(bob.pk))
    fields = fields_in(admin.get(page_of(his)).text, "membership_form")
    admin.post(page_of(his), {**fields, **until, "ban_reason": "four"})
    bans.lift_ban(room_id=attic.pk, user_id=str(bob.pk))
    fields = fields_in(admin.get(page_of(attic)).text, "room_form")
    row = row_of(his, fields)
    admin.post(page_of(attic), {**fields, **{f"{row}-{name}": value for name, value in until.items()}})
    banned = [line for line in history_of(admin, attic) if line.startswith("Banned bob until")]
    assert [line.partition(" UTC")[2] for line in sorted(banned, key=banned.index)[:5]] == [
        ": one.", ": two.", ": three.", ": four.", ".",
    ]  # fmt: skip


def test_lifting_no_ban_is_not_in_the_history(admin: Any, bob: Any, attic: Room) -> None:
    answer = act(admin, "lift_ban", attic.memberships.get(user=bob))
    assert shown_messages(answer) == ["bob in Attic had no ban."]
    assert history_of(admin, attic) == []
    answer = admin.post(ban_page(attic), {"lift": str(bob.pk)}, **IN_PLACE)
    assert "This ban no longer exists." in answer.text
    assert history_of(admin, attic) == []


# Bans on the page


def test_bans_are_on_the_page_with_reasons_and_mark_authors(admin: Any, bob: Any, charlie: Any, attic: Room) -> None:
    post_message(bob, attic)
    ends = [bans.end_of(ban(user, attic, reason=f"because of {user}")) for user in (bob, charlie)]
    page = admin.get(page_of(attic)).text
    assert f'<bdi>bob</bdi> <span class="ban-mark">banned until {ends[0]}</span>' in page
    assert f"until {ends[1]}: <bdi>because of charlie</bdi>" in page
    assert f'value="{charlie.pk}" aria-label="Lift the ban of charlie"' in page


def test_many_bans_are_counted(admin: Any, lounge: Room) -> None:
    for number in range(22):
        ban(make_user(f"user-{number}"), lounge)
    page = admin.get(page_of(lounge)).text
    assert page.count('name="lift"') == 20
    assert "2 more" in page


def test_the_only_choice_of_a_user_is_oneself(admin: Any, bob: Any, lounge: Room) -> None:
    assert ">User</label>" in admin.get(page_of(lounge)).text
    post_message(bob, lounge)
    page = admin.get(page_of(lounge)).text
    assert ">Another user</label>" in page
    assert ">User</label>" not in page


def test_a_date_is_proposed(admin: Any, charlie: Any, lounge: Room) -> None:
    fields = fields_in(admin.get(page_of(lounge)).text, "ban")
    before = timezone.now()
    admin.post(ban_page(lounge), {**fields, "user": charlie.pk, "span": "until"})
    until = lounge.memberships.get().banned_until
    assert until is not None
    assert abs(until - before - timedelta(days=30)) < timedelta(minutes=2)


# Without leaving the page


def test_a_ban_in_place_is_answered_by_the_form_alone(admin: Any, charlie: Any, lounge: Room) -> None:
    answer = admin.post(ban_page(lounge), {"user": str(charlie.pk), "span": "day", "reason": "spam"}, **IN_PLACE)
    assert answer.status_code == 200
    assert answer.text.lstrip().startswith('<form class="ban" id="ban"')
    assert '<li class="success" tabindex="-1" autofocus>charlie is banned from Lounge until' in answer.text
    assert 'value="spam"' not in answer.text
    assert shown_messages(answer) == []
    fields = fields_in(answer.text, "ban")
    answer = admin.post(ban_page(lounge), {**fields, "reason": "half a", "lift": charlie.pk}, **IN_PLACE)
    assert "The ban of charlie is lifted." in answer.text
    assert 'value="half a"' in answer.text
    assert not lounge.memberships.exists()


@pytest.mark.parametrize("headers", [{}, IN_PLACE])
@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"span": "day"}, "user", "Choose a user."),
        ({"span": "until", "until": ""}, "until", "Choose the end of the ban."),
        ({"span": "until", "until": "2001-01-01T00:00"}, "until", "is in the past"),
        ({"span": "until", "until": "9999-12-31T23:59"}, "until", "100 years away"),
        ({"span": "day", "reason": "a\u202eb"}, "reason", "U+202E is not allowed"),
        ({"span": "day", "user": "0"}, "user", "Select a valid choice."),
        ({"span": "day", "user": "abc"}, "user", "Select a valid choice."),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_an_error_is_beside_its_field_with_the_cursor(
    admin: Any, bob: Any, lounge: Room, headers: Any, fields: dict[str, str], name: str, words: str
) -> None:
    chosen = {} if name == "user" else {"user": str(bob.pk)}
    page = admin.post(ban_page(lounge), {**chosen, **fields}, **headers).text
    [row] = [part for part in page.split('<div class="ban-row"') if words in part]
    [tag] = re.findall(rf'<(?:input|select)[^>]* name="{name}"[^>]*>|<(?:input|select) name="{name}"[^>]*>', row)
    assert " autofocus" in tag
    assert page.count(" autofocus") == 1


# Reports


@pytest.mark.parametrize("way", ["memberships", "messages"])
def test_the_report_names_a_longer_ban_that_stays(admin: Any, alice: Any, bob: Any, attic: Room, way: str) -> None:
    rows = {"memberships": [], "messages": []}  # type: dict[str, list[int]]
    for user in (alice, bob):
        rows["messages"].append(post_message(user, attic).pk)
        rows["memberships"].append(attic.memberships.get(user=user).pk)
    longer = ban(bob, attic, days=365, reason="threats")
    address, action, done = {
        "memberships": (MEMBERSHIPS, "ban", "1 membership banned for a day."),
        "messages": (MESSAGES, "ban_authors", "1 message handled: author banned for a day."),
    }[way]
    answer = admin.post(address, {"action": action, "_selected_action": rows[way], "reason": ""})
    stays = f"bob is already banned from Attic for longer, until {bans.end_of(longer)}."
    assert shown_messages(answer) == [done, stays]
    assert [line for line in history_of(admin, attic) if "bob" in line] == []
    assert LogEntry.objects.filter(change_message=stays).count() == 1
