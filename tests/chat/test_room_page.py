"""The page of a room in the admin: bans in its history, bans that it did not show, forms sent without leaving it."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission
from django.urls import reverse
from django.utils import timezone

from chat import bans, services
from chat.models import Membership, Room
from tests.chat.test_bans import MEMBERSHIPS, MESSAGES, ban_page, post, told
from tests.personas import make_user

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]

DAY = timedelta(days=1)
IN_PLACE = {"headers": {"X-In-Place": "1"}}


def page_of(row: Any) -> str:
    return reverse(f"admin:chat_{row._meta.model_name}_change", args=[row.pk])


def fields_in(page: str, form: str) -> dict[str, str]:
    """What a browser sends of the page's form without any input: of buttons and boxes, those that are checked."""
    [html] = re.findall(rf'<form[^>]* id="{form}".*?</form>', page, re.S)
    fields = {}
    for tag in re.findall(r"<input [^>]*>", html):
        about = dict(re.findall(r'([\w-]+)="([^"]*)"', tag))
        is_sent = about["type"] not in ("submit", "checkbox", "radio") or " checked" in tag
        if is_sent and "name" in about:
            fields[about["name"]] = about.get("value", "")
    for select in re.findall(r"<select .*?</select>", html, re.S):
        chosen = re.findall(r'<option value="([^"]*)" selected', select)
        name = re.findall(r'name="([^"]*)"', select)
        if name and " disabled" not in select.partition(">")[0]:
            fields[name[0]] = chosen[0] if chosen else ""
    return fields


def ban(user: Any, room: Room, *, days: int = 1, reason: str = "") -> Membership:
    until = timezone.now() + days * DAY
    return bans.ban_user(room_id=room.pk, user_id=str(user.pk), until=until, reason=reason)


def history_of(client: Any, room: Room) -> list[str]:
    log = client.get(reverse("admin:chat_room_history", args=[room.pk])).context["action_list"]
    return [str(entry.get_change_message()) for entry in log]


def row_of(membership: Membership, fields: dict[str, str]) -> str:
    """The prefix of the fields of a membership in the page of its room."""
    [name] = [name for name, value in fields.items() if name.endswith("-id") and value == str(membership.pk)]
    return name.removesuffix("-id")


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


def act(client: Any, action: str, ban: Membership, **more: str) -> None:
    client.post(MEMBERSHIPS, {"action": action, "_selected_action": [ban.pk], **more})


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
    assert not any(one.is_banned for one in attic.memberships.filter(user=user))
    lifted = [line for line in history_of(admin, attic) if line.startswith("Lifted")]
    assert lifted == [f"Lifted the ban of {name} until {end}."]


def test_bans_by_every_way_are_in_the_history_of_the_room(admin: Any, bob: Any, attic: Room) -> None:
    message = post(bob, attic)
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
    act(admin, "lift_ban", attic.memberships.get(user=bob))
    assert history_of(admin, attic) == []
    answer = admin.post(ban_page(attic), {"lift": str(bob.pk)}, **IN_PLACE)
    assert "There is no such ban any more." in answer.text
    assert history_of(admin, attic) == []


# What the page says of bans


def test_bans_stand_on_the_page_with_their_reasons_and_mark_those_who_wrote(
    admin: Any, bob: Any, charlie: Any, attic: Room
) -> None:
    post(bob, attic)
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


def test_the_only_choice_of_a_user_is_not_somebody_else(admin: Any, bob: Any, lounge: Room) -> None:
    assert ">User</label>" in admin.get(page_of(lounge)).text
    post(bob, lounge)
    page = admin.get(page_of(lounge)).text
    assert ">Somebody else</label>" in page
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
    assert '<li class="success" tabindex="-1" autofocus>The user charlie is banned from Lounge until' in answer.text
    assert 'value="spam"' not in answer.text
    assert told(answer) == []
    fields = fields_in(answer.text, "ban")
    answer = admin.post(ban_page(lounge), {**fields, "reason": "half a", "lift": charlie.pk}, **IN_PLACE)
    assert "The ban of charlie is lifted." in answer.text
    assert 'value="half a"' in answer.text
    assert not lounge.memberships.exists()


@pytest.mark.parametrize("headers", [{}, IN_PLACE])
@pytest.mark.parametrize(
    ("fields", "name", "words"),
    [
        ({"span": "day"}, "user", "Choose the user."),
        ({"span": "until", "until": ""}, "until", "Choose the end of the ban."),
        ({"span": "until", "until": "2001-01-01T00:00"}, "until", "has passed already"),
        ({"span": "until", "until": "9999-12-31T23:59"}, "until", "too far away"),
        ({"span": "day", "reason": "a\u202eb"}, "reason", "U+202E is not allowed"),
        ({"span": "day", "user": "0"}, "user", "Select a valid choice."),
        ({"span": "day", "user": "abc"}, "user", "Select a valid choice."),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_is_wrong_stands_beside_its_field_which_has_the_cursor(
    admin: Any, bob: Any, lounge: Room, headers: Any, fields: dict[str, str], name: str, words: str
) -> None:
    chosen = {} if name == "user" else {"user": str(bob.pk)}
    page = admin.post(ban_page(lounge), {**chosen, **fields}, **headers).text
    [row] = [one for one in page.split('<div class="ban-row"') if words in one]
    [tag] = re.findall(rf'<(?:input|select)[^>]* name="{name}"[^>]*>|<(?:input|select) name="{name}"[^>]*>', row)
    assert " autofocus" in tag
    assert page.count(" autofocus") == 1


# Pages that were opened before


def test_an_old_page_does_not_replace_a_newer_ban(admin: Any, bob: Any, attic: Room) -> None:
    post(bob, attic)
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


def test_an_old_page_of_a_room_saves_what_was_changed_there_alone(admin: Any, bob: Any, attic: Room) -> None:
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


# Reports


@pytest.mark.parametrize("way", ["memberships", "messages"])
def test_the_report_names_a_longer_ban_that_stays(admin: Any, alice: Any, bob: Any, attic: Room, way: str) -> None:
    rows = {"memberships": [], "messages": []}  # type: dict[str, list[int]]
    for user in (alice, bob):
        rows["messages"].append(post(user, attic).pk)
        rows["memberships"].append(attic.memberships.get(user=user).pk)
    longer = ban(bob, attic, days=365, reason="threats")
    address, action, done = {
        "memberships": (MEMBERSHIPS, "ban", "1 membership banned for a day."),
        "messages": (MESSAGES, "ban_authors", "1 message answered by a ban of the author for a day."),
    }[way]
    answer = admin.post(address, {"action": action, "_selected_action": rows[way], "reason": ""})
    stays = f"bob stays banned from Attic until {bans.end_of(longer)}, which is longer."
    assert told(answer) == [done, stays]
    assert [line for line in history_of(admin, attic) if "bob" in line] == []
    assert LogEntry.objects.filter(change_message=stays).count() == 1


# A private room of others


def add_room(client: Any, address: str = "", **more: str) -> Any:
    fields = {"title": "Garden", "slug": "garden", "is_private": "on", "_save": "Save", **more}
    fields |= {"memberships-TOTAL_FORMS": "0", "memberships-INITIAL_FORMS": "0"}
    return client.post(reverse("admin:chat_room_add") + address, fields)


@pytest.mark.parametrize("address", ["", "?from_lobby=1"])
def test_the_maker_of_a_private_room_becomes_a_member_by_one_click(admin: Any, root: Any, address: str) -> None:
    saved = add_room(admin, address)
    room = Room.objects.get(slug="garden")
    assert saved.headers["Location"] == page_of(room)
    assert not room.memberships.exists()
    page = admin.get(page_of(room)).text
    assert "you are not a member of it" in page
    join = reverse("admin:chat_room_join", args=[room.pk])
    assert admin.get(join).status_code == 405
    answer = admin.post(join, fields_in(page, "outsider"))
    assert answer.headers["Location"] == page_of(room)
    assert told(answer)[-1] == "You are a member of Garden."
    assert [(one.user, one.role) for one in room.memberships.all()] == [(root, "member")]
    assert "you are not a member of it" not in admin.get(page_of(room)).text
    assert "Garden" in admin.get("/").text
    assert history_of(admin, room)[-1] == "Added root as a member."


def test_becoming_a_member_takes_nothing_away_and_lifts_no_ban(admin: Any, root: Any, attic: Room) -> None:
    join = reverse("admin:chat_room_join", args=[attic.pk])
    services.set_membership(room_id=attic.pk, user_id=str(root.pk), role="moderator")
    assert "root is a member already." in admin.post(join, **IN_PLACE).text
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
    assert "you are not a member of it" in page
    assert "Become a member" not in page
    assert client.post(reverse("admin:chat_room_join", args=[attic.pk])).status_code == 403
    assert not attic.memberships.filter(user=stan).exists()


def test_the_page_of_a_room_leads_to_its_page_in_the_admin(client: Any, alice: Any, attic: Room) -> None:
    def leads(user: Any) -> bool:
        client.force_login(user)
        return f'href="{page_of(attic)}"' in client.get(reverse("room", args=["attic"])).text

    stan = make_user("stan", is_staff=True)
    services.set_membership(room_id=attic.pk, user_id=str(stan.pk))
    for user in (alice, stan):
        assert not leads(user)
        user.user_permissions.set(Permission.objects.filter(codename="change_room"))
    assert (leads(alice), leads(stan)) == (False, True)
