"""What the tests of the admin's pages share: the forms of a page as a browser sends them, bans, a room's history."""

import re
from datetime import timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from chat import bans
from chat.models import Membership, Room

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
