"""Lists of rooms for many users at once, and what they show of each room. Never writes."""

from collections.abc import Collection, Mapping
from typing import Any

from django.db.models import Count, Q, Sum
from django.utils import timezone

from chat.access import last_messages
from chat.models import Membership, PersonalState, Room
from chat.protocol import RoomEntry
from chat.serializers import room_entry
from hubbub import users


def slugs_for(user_ids: Collection[str], among: Collection[str] | None) -> dict[str, frozenset[str]]:
    """The rooms in the list of each user: those of `access.rooms_for` that the user has not left.

    Three queries, however many users and rooms there are.

    Args:
        user_ids: as text.
        among: only these rooms; None: all.
    """
    rooms = Room.objects.all() if among is None else Room.objects.filter(slug__in=among)
    public = frozenset(rooms.filter(is_private=False).order_by().values_list("slug", flat=True))
    ids = {users.key_of(user_id): user_id for user_id in user_ids}
    added: dict[Any, set[str]] = {}
    removed: dict[Any, set[str]] = {}
    memberships = Membership.objects.filter(user__in=ids).order_by()
    personal = PersonalState.objects.filter(user__in=ids, has_left=True, room__is_private=False).order_by()
    if among is not None:
        memberships = memberships.filter(room__slug__in=among)
        personal = personal.filter(room__slug__in=among)
    relevant = memberships.filter(Q(room__is_private=True) | Q(banned_until__gt=timezone.now()))
    for key, slug, role, until in relevant.values_list("user", "room__slug", "role", "banned_until"):
        if until is not None and until > timezone.now():
            removed.setdefault(key, set()).add(slug)
        elif role != Membership.Role.NONE:
            added.setdefault(key, set()).add(slug)
    for key, slug in personal.values_list("user", "room__slug"):
        removed.setdefault(key, set()).add(slug)
    return {
        user_id: (public | added.get(key, set())) - removed.get(key, set())
        if key in added or key in removed
        else public
        for key, user_id in ids.items()
    }


def entries(slugs: Collection[str]) -> Mapping[str, RoomEntry]:
    """What lists show of these rooms, by two queries. Access is not checked."""
    rooms = list(Room.objects.filter(slug__in=slugs))
    last = last_messages(rooms)
    return {room.slug: room_entry(room, last.get(room.pk)) for room in rooms}


def access_marks(slugs: Collection[str]) -> Mapping[str, tuple[Any, ...]]:
    """A value of each room that changes with its readers: its privacy, and the memberships and bans in force.

    Counted by the database: a version in the room's row rises only after the commit of a change. An edit of a row to
    another user, which counts the same, is found by that version.
    """
    member = ~Q(memberships__role=Membership.Role.NONE)
    banned = Q(memberships__banned_until__gt=timezone.now())
    rows = (
        Room.objects.filter(slug__in=slugs)
        .order_by()
        .values_list("slug", "is_private")
        .annotate(
            members=Count("memberships", filter=member),
            member_ids=Sum("memberships__id", filter=member),
            bans=Count("memberships", filter=banned),
            ban_ids=Sum("memberships__id", filter=banned),
        )
    )
    return {row[0]: row[1:] for row in rows}
