"""Revocation in rooms: finds the users that have lost access to the room of their sockets."""

from collections.abc import Mapping, Set
from typing import Any

from django.db.models import Q

from chat import typing_rights
from chat.access import READ_ANY_ROOM
from chat.models import Membership, Room
from hubbub import users
from hubbub.auth import with_permission

MAX_NAMED_USERS = 200  # Users that a query names one by one.
READERS_PER_QUERY = 500


def denied_users(rooms: Mapping[str, Set[str]]) -> dict[str, dict[str, str]]:
    """Find the users that have lost access to their room.

    Args:
        rooms: The ids of the users in each room, by slug.

    Returns:
        The reason for each denied user, by slug and user id: a code of `closed`.
    """
    is_private = dict(Room.objects.filter(slug__in=rooms).values_list("slug", "is_private"))
    relevant = Membership.objects.filter(Q(room__is_private=True) | ~Q(banned_until=None), room__slug__in=rooms)
    all_ids = set().union(*rooms.values())
    if len(all_ids) <= MAX_NAMED_USERS:
        # For few users in large rooms: do not read all memberships of the rooms.
        relevant = relevant.filter(user__in=[users.key_of(user_id) for user_id in all_ids])
    memberships: dict[tuple[str, Any], Membership] = {
        (membership.room.slug, membership.user_id): membership for membership in relevant.select_related("room")
    }
    denied: dict[str, dict[str, str]] = {}
    outsiders: list[tuple[str, str]] = []
    for slug, user_ids in rooms.items():
        for user_id in user_ids:
            membership = memberships.get((slug, users.key_of(user_id)))
            if slug not in is_private:
                reason = "deleted"
            elif membership is not None and membership.is_banned:
                reason = "banned"
            elif is_private[slug] and not (membership is not None and membership.is_member):
                outsiders.append((slug, user_id))
                continue
            else:
                typing_rights.note_reader(slug, user_id, False)  # A reader may have become a member.
                continue
            denied.setdefault(slug, {})[user_id] = reason
    readers = _readers_among({user_id for _, user_id in outsiders})
    for slug, user_id in outsiders:
        typing_rights.note_reader(slug, user_id, user_id in readers)
        if user_id not in readers:
            denied.setdefault(slug, {})[user_id] = "removed"
    return denied


def _readers_among(user_ids: Set[str]) -> set[str]:
    """The readers of all rooms among these users, in bounded queries: a room made private may have many."""
    readers = set[str]()
    ordered = [*user_ids]
    for start in range(0, len(ordered), READERS_PER_QUERY):
        readers |= {*with_permission({*ordered[start : start + READERS_PER_QUERY]}, READ_ANY_ROOM)}
    return readers
