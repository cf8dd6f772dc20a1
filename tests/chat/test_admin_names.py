"""Titles of rooms in the admin: like another room's, and of before there was a rule of names."""

from typing import Any

import pytest
from django.urls import reverse

from chat.models import Room
from tests.support.admin_pages import NO_MEMBERS, fields_of, page_of, shown_messages

pytestmark = [pytest.mark.database, pytest.mark.usefixtures("plain_static")]


@pytest.mark.parametrize("title", ["Lounge", "LOUNGE", "L0unge"])
def test_a_title_like_another_rooms_is_taken_and_said(admin: Any, lounge: Room, title: str) -> None:
    made = admin.post(reverse("admin:chat_room_add"), {"title": title, "slug": "other", **NO_MEMBERS})
    assert made.status_code == 302
    assert "Other rooms have the same title, or one that looks the same: Lounge (lounge)." in shown_messages(made)


def test_a_room_of_before_the_rule_of_names_is_changed_in_the_admin(admin: Any, lounge: Room) -> None:
    Room.objects.filter(pk=lounge.pk).update(title="G\u0435neral")
    lounge.refresh_from_db()
    assert admin.post(page_of(lounge), fields_of(lounge, is_archived="on")).status_code == 302
    refused = admin.post(page_of(lounge), fields_of(lounge, description="\u3164"))
    assert "U+3164 is not allowed" in str(refused.context["adminform"].form.errors["description"])
