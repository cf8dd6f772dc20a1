"""Bans of users from rooms, by the service and by the pages of the admin."""

from datetime import datetime, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone

from chat import access
from chat.models import Membership, Room

HOUR = timedelta(hours=1)
FAR = datetime.fromisoformat("9999-12-31T23:59-12:00")  # In UTC there is no such year.


def ban_page(room: Room) -> str:
    return reverse("admin:chat_room_ban", args=[room.pk])


def may_read(user: Any, room: Room) -> bool:
    return access.find_room(str(user.pk), room.slug) is not None


def end_bans() -> None:
    Membership.objects.exclude(banned_until=None).update(banned_until=timezone.now() - HOUR)
