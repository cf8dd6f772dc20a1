"""The admin of chat: forms as a browser sends them, actions of lists, messages to the user, the log of a room."""

import re
import uuid
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Permission
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from chat import bans, posting
from chat.models import Membership, Message, Room
from tests.support.personas import make_user

ROOMS = reverse("admin:chat_room_changelist")
MEMBERSHIPS = reverse("admin:chat_membership_changelist")
MESSAGES = reverse("admin:chat_message_changelist")
NO_MEMBERS = {
    "memberships-TOTAL_FORMS": "0",
    "memberships-INITIAL_FORMS": "0",
}
DAY = timedelta(days=1)
IN_PLACE = {"headers": {"X-In-Place": "1"}}


def page_of(row: Any) -> str:
    return reverse(f"admin:chat_{row._meta.model_name}_change", args=[row.pk])


def fields_in(page: str, form: str) -> dict[str, str]:
    """The form data that a browser sends without any input: checked buttons and boxes, no others."""
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
    """The prefix of a membership's fields on the page of its room."""
    [name] = [name for name, value in fields.items() if name.endswith("-id") and value == str(membership.pk)]
    return name.removesuffix("-id")


def post_message(user: Any, room: Room, body: str = "hello") -> Message:
    posted = posting.post_message(user_id=user.pk, slug=room.slug, client_id=uuid.uuid4(), body=body)
    return Message.objects.get(room=room, seq=posted.seq)


def act(client: Any, address: str, action: str, *rows: Any, **more: str) -> Any:
    fields = {"action": action, "_selected_action": [row.pk for row in rows], **more}
    return client.post(address, fields)


def shown_messages(response: Any) -> list[str]:
    return [str(message) for message in get_messages(response.wsgi_request)]


def staff_with(*codenames: str) -> Any:
    user = make_user("stan", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def count_queries(client: Any, address: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(address).status_code == 200
    return len(seen)


def fields_of(room: Room, **changes: str) -> dict[str, str]:
    """The form data of the room's page: its fields, and a row for each membership."""
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


def select_all(client: Any, address: str, action: str, **more: str) -> Any:
    """Start an action on all rows of a list, as by its link "Select all 1,000 rooms"."""
    rows = [row.pk for row in client.get(address).context["cl"].result_list]
    return client.post(
        address, {"action": action, "select_across": "1", "index": "0", "_selected_action": rows, **more}
    )


def confirm(client: Any, address: str, page: Any) -> Any:
    """Submit the confirmation form with all its fields."""
    fields: dict[str, Any] = {}
    for name, value in page.context["fields"]:
        fields.setdefault(name, []).append(value)
    assert sum(map(len, fields.values())) < 20
    return client.post(address, fields)


def make_rooms(count: int) -> None:
    Room.objects.all().delete()
    Room.objects.bulk_create(Room(slug=f"room-{number}", title=f"Room {number}") for number in range(count))
