"""Members of a room: the list of them, and how people invite, appoint and remove members. Writes rows by services."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, connections, transaction
from django.db.models import Case, F, IntegerField, Q, QuerySet, TextField, Value, When
from django.db.models.functions import Cast, Collate, Lower
from django.utils import timezone

from chat import access, managing, services
from chat.models import Membership, Room, database
from chat.room_protocol import Member, MembersPage
from hubbub import users
from hubbub.process import Kind
from hubbub.protocol import ErrorCode, Refused

LIFT_FIRST = "this user is banned from the room: the ban must be lifted first"


def invite_member(*, user_id: str, slug: str, name: str) -> Member:
    """Make the user of this user name or display name a member; a member stays what it is.

    Raises:
        Refused: `not_found`, `forbidden`; `invalid`: nobody has this name; `conflict`: the user is banned.
    """
    invited = _user_of_name(name)
    with transaction.atomic(using=database()):
        room = managing.managed_room(user_id, slug)
        if invited is None:
            raise Refused(ErrorCode.INVALID, f"nobody here has the name {name}")
        invited_id = users.id_of(invited)
        membership = access.membership_of(room.pk, invited_id, lock=True)
        if membership is not None and membership.is_banned:
            raise Refused(ErrorCode.CONFLICT, LIFT_FIRST)
        if membership is None or not membership.is_member:
            membership = _add(room, invited_id)
            managing.log_after_commit(Kind.MEMBER_ADDED, user_id, f"{slug}: user {invited_id}")
        managing.set_left(user_id=invited_id, room=room, has_left=False)
    return _member(invited, membership.role)


def remove_member(*, user_id: str, slug: str, member_id: str) -> None:
    """End a membership; a ban stays. Somebody who is no member stays so.

    Raises:
        Refused: `not_found`, `forbidden`; `conflict` for the last moderator of a private room.
    """
    with transaction.atomic(using=database()):
        room = managing.managed_room(user_id, slug)
        membership = access.membership_of(room.pk, member_id, lock=True)
        if membership is None or not membership.is_member:
            return
        managing.check_not_last(room, membership)
        if membership.is_banned:
            services.set_membership(
                room_id=room.pk,
                user_id=member_id,
                role=Membership.Role.NONE,
                banned_until=membership.banned_until,
                ban_reason=membership.ban_reason,
            )
        else:
            services.remove_membership(room_id=room.pk, user_id=member_id)
        managing.log_after_commit(Kind.MEMBER_REMOVED, user_id, f"{slug}: user {member_id}")


def set_role(*, user_id: str, slug: str, member_id: str, role: str) -> Member:
    """Make a member a moderator, or a moderator a member.

    Raises:
        Refused: `not_found`, `forbidden`; `conflict`: it is no member, is banned, or is the last moderator.
    """
    with transaction.atomic(using=database()):
        room = managing.managed_room(user_id, slug)
        membership = access.membership_of(room.pk, member_id, lock=True)
        if membership is None or not membership.is_member:
            raise Refused(ErrorCode.CONFLICT, "this user is not a member of the room: invite first")
        if membership.is_banned:
            raise Refused(ErrorCode.CONFLICT, LIFT_FIRST)
        if role != membership.role:
            managing.check_not_last(room, membership)
            membership = services.set_membership(room_id=room.pk, user_id=member_id, role=role)
            managing.log_after_commit(Kind.MEMBER_ROLE, user_id, f"{slug}: user {member_id} is {role}")
        return _member(membership.user, role)


def list_members(*, user_id: str, slug: str, after: str | None, limit: int) -> MembersPage:
    """A page of the members that are not banned: moderators first, then by name. `after`: `next` of the page before.

    Raises:
        Refused: `not_found`; `invalid`: `after` comes from no page.
    """
    room = access.enter_room(user_id, slug)[0]
    members = _in_order(room)
    if after is not None:
        rank, name, key = _place(after)
        later_name = Q(name__gt=name) | Q(name=name, user_id__gt=key)
        members = members.filter(Q(rank__gt=rank) | Q(later_name, rank=rank))
    found: list[Any] = list(members[: limit + 1])
    page = found[:limit]
    last = page[-1] if len(found) > limit else None
    return MembersPage(
        members=[_member(row.user, row.role) for row in page],
        next=None if last is None else f"{last.rank}:{users.id_of(last.user)}",
    )


def _member(user: Any, role: str) -> Member:
    return Member(users.id_of(user), users.name_of(user), role, users.picture_of(user))


def _in_order(room: Room) -> QuerySet[Any]:
    """The members, each with its `rank` and its `name` in small letters."""
    name = _sort_name("user")
    rank = Case(When(role=Membership.Role.MODERATOR, then=Value(0)), default=Value(1), output_field=IntegerField())
    members: Any = Membership.objects.filter(room=room).exclude(role=Membership.Role.NONE)
    members = members.exclude(banned_until__gt=timezone.now()).annotate(rank=rank, name=name)
    ordered: QuerySet[Any] = members.select_related("user").order_by("rank", "name", "user_id")
    return ordered


def _place(after: str) -> tuple[int, str, Any]:
    """The place of a user in the order. By id: others may not see the name that members are sorted by."""
    rank, _, user_id = after.partition(":")
    key: Any = users.key_of(user_id) if rank in ("0", "1") else None
    found = get_user_model()._base_manager.using(database()).filter(pk=key).annotate(sort_name=_sort_name(""))
    name = None if key is None else found.values_list("sort_name", flat=True).first()
    if name is None:
        raise managing.bad_place()
    return int(rank), name, key


def _sort_name(relation: str) -> Lower:
    """The user name in small letters, which only ASCII has, compared by code point: the same on both databases."""
    collation = "C" if connections[database()].vendor == "postgresql" else "BINARY"
    return Lower(Collate(Cast(F(users.name_lookup(relation)), TextField()), collation))


def _user_of_name(name: str) -> Any:
    if "\x00" in name:
        return None  # PostgreSQL would refuse the query.
    for find in (users.find_by_name, users.find_by_shown_name):  # The user name wins.
        try:
            user = find(name)
        except get_user_model().DoesNotExist:
            continue
        return user if users.is_active(user) else None
    return None


def _add(room: Room, user_id: str) -> Membership:
    try:
        with transaction.atomic(using=database()):
            return services.set_membership(room_id=room.pk, user_id=user_id)
    except IntegrityError:  # The admin, which does not lock the room, has just added the user.
        raise Refused(ErrorCode.CONFLICT, "the membership has just changed: try again") from None
