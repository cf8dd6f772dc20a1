"""Rooms as people make, change and leave them; the admin calls `services` instead. Writes rows.

Each function is one transaction with its checks. A room is managed by its moderators, and by users with the permission
to change rooms who may read it.
"""

from collections.abc import Iterator
from functools import partial
from secrets import token_hex
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.text import slugify

from chat import access, reading, services
from chat.models import SLUG_CHARS, Membership, PersonalState, Room, database
from chat.room_protocol import ListedRoom, RoomMade, RoomsPage
from hubbub import users
from hubbub.auth import with_permission
from hubbub.process import Kind, log_event
from hubbub.protocol import ErrorCode, Refused

ADD_ROOM = "chat.add_room"
MAX_SLUGS_TRIED = 20


def make_room(
    *, user_id: str, title: str, slug: str | None = None, description: str = "", is_private: bool = False
) -> RoomMade:
    """Make a room whose moderator is the user. Without a slug one is made from the title.

    Raises:
        Refused: `forbidden` without the permission; `invalid`; `conflict`: another room has this slug.
    """
    if not with_permission({user_id}, ADD_ROOM):
        raise Refused(ErrorCode.FORBIDDEN, "you may not make rooms")
    values = {"title": title.strip(), "description": description.strip(), "is_private": is_private}
    with transaction.atomic(using=database()):
        for candidate in [slug] if slug is not None else _slugs(title):
            if (room := _create(candidate, values)) is not None:
                break
        else:
            raise Refused(ErrorCode.CONFLICT, "another room has this address: choose another one")
        services.set_membership(room_id=room.pk, user_id=user_id, role=Membership.Role.MODERATOR)
        log_after_commit(Kind.ROOM_MADE, user_id, f"{room.slug}, {_visibility(room)}")
    return RoomMade(slug=room.slug)


def change_room(*, user_id: str, slug: str, **changes: Any) -> int:
    """Set some of the room's title, description, is_private and is_archived. None: it stays.

    A room without a moderator that is made private gets the user as its moderator: else nobody could enter it.

    Returns:
        The room's position.

    Raises:
        Refused: `not_found`, `forbidden`, `invalid`.
    """
    changes = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
    changes = {name: value for name, value in changes.items() if value is not None}
    with transaction.atomic(using=database()):
        before = managed_room(user_id, slug)
        if changes.get("is_private") and not before.is_private and not moderators_of(before).exists():
            role = Membership.Role.MODERATOR
            services.set_membership(room_id=before.pk, user_id=user_id, role=role)
        try:
            room = services.change_room(room_id=before.pk, **changes)
        except ValidationError as error:
            raise _refused(error) from None
        if room.is_private != before.is_private:
            log_after_commit(Kind.ROOM_VISIBILITY, user_id, f"{slug}: {_visibility(room)}")
    return room.position


def leave_room(*, user_id: str, slug: str) -> None:
    """Take the room off the user's list; of a private room, end the membership.

    Raises:
        Refused: `not_found`; `conflict` to the last moderator of a private room.
    """
    with transaction.atomic(using=database()):
        room = access.enter_room(user_id, slug)[0]
        if room.is_private:
            room = locked_room(user_id, slug)
        if not room.is_private:
            set_left(user_id=user_id, room=room, has_left=True)
            return
        membership = access.membership_of(room.pk, user_id, lock=True)
        if membership is None or not membership.is_member:
            raise Refused(ErrorCode.CONFLICT, "you are not a member of this room")
        check_not_last(room, membership)
        services.remove_membership(room_id=room.pk, user_id=user_id)
        log_after_commit(Kind.MEMBER_REMOVED, user_id, f"{slug}: left")


def return_to_room(*, user_id: str, slug: str) -> None:
    """Put a room that the user has left back on the user's list. Raises Refused `not_found`."""
    set_left(user_id=user_id, room=access.enter_room(user_id, slug)[0], has_left=False)


def set_left(*, user_id: str, room: Room, has_left: bool) -> None:
    """Note whether the user has left the room, which the user may read: it goes from lists, or comes back."""
    mine = PersonalState.objects.using(database()).filter(user=users.key_of(user_id), room=room)
    # Most users have left no room: without a row of that kind nothing is written.
    if has_left or mine.filter(has_left=True).exists():
        reading.prefer(user_id, room.slug, left=has_left)


def browse_rooms(*, user_id: str, after: str | None = None, limit: int) -> RoomsPage:
    """Public rooms that are not on the user's list, in natural order. `after`: `next` of the page before."""
    key = users.key_of(user_id)
    bans = Membership.objects.filter(user=key, banned_until__gt=timezone.now())
    left = PersonalState.objects.filter(user=key, has_left=True)
    rooms = Room.objects.filter(is_private=False, pk__in=left.values("room")).exclude(pk__in=bans.values("room"))
    if after is not None:
        pk, _, sort_key = after.partition(":")
        if not (pk.isascii() and pk.isdigit() and len(pk) < 19) or "\x00" in sort_key:
            raise bad_place()
        rooms = rooms.filter(Q(sort_key__gt=sort_key) | Q(sort_key=sort_key, pk__gt=int(pk)))
    found = list(rooms.order_by("sort_key", "pk")[: limit + 1])
    page = found[:limit]
    listed = [ListedRoom(room.slug, room.title, room.description, room.is_archived) for room in page]
    last = page[-1] if len(found) > limit else None
    return RoomsPage(rooms=listed, next=None if last is None else f"{last.pk}:{last.sort_key}")


# For members.py too


def managed_room(user_id: str, slug: str) -> Room:
    """The room, locked, if the user manages it. Raises Refused `not_found`, or `forbidden` to its other readers."""
    room = locked_room(user_id, slug)
    membership = access.membership_of(room.pk, user_id)
    if membership is not None and membership.role == Membership.Role.MODERATOR:
        return room
    if not with_permission({user_id}, access.CHANGE_ROOM):
        raise Refused(ErrorCode.FORBIDDEN, "only moderators of the room may do this")
    return room


def locked_room(user_id: str, slug: str) -> Room:
    """The room, locked, if the user may read it. Raises Refused `not_found`."""
    access.enter_room(user_id, slug)  # First: a stranger gets no lock on the room.
    room = Room.objects.using(database()).select_for_update(no_key=True).filter(slug=slug).first()
    # Again: access may have been lost while this waited for the lock.
    if room is None or access.find_room(user_id, slug) is None:
        raise access.room_not_found()
    return room


def moderators_of(room: Room) -> Any:
    """The memberships of moderators who may enter the room now: not banned, and with an active account."""
    moderators = room.memberships.filter(users.active("user"), role=Membership.Role.MODERATOR)
    return moderators.exclude(banned_until__gt=timezone.now())


def check_not_last(room: Room, membership: Membership) -> None:
    """Refuse to take the last moderator from a private room: nobody could invite members. The room is locked."""
    if not room.is_private or membership.role != Membership.Role.MODERATOR:
        return
    if not moderators_of(room).exclude(pk=membership.pk).exists():
        raise Refused(ErrorCode.CONFLICT, "a private room needs a moderator: make another member a moderator first")


def bad_place() -> Refused:
    """The answer to an `after` that no page has given."""
    return Refused(ErrorCode.INVALID, "place: not the `next` of a page")


def log_after_commit(kind: Kind, user_id: str, detail: str) -> None:
    """Write a line of the security log, if the transaction commits."""
    transaction.on_commit(partial(log_event, kind, user=user_id, detail=detail), using=database(), robust=True)


def _create(slug: str, values: dict[str, Any]) -> Room | None:
    """The new room; None: another room has this slug, perhaps since this instant."""
    try:
        with transaction.atomic(using=database()):
            return services.create_room(slug=slug, **values)
    except IntegrityError:
        return None
    except ValidationError as error:
        codes = {each.code for each in error.error_dict.get("slug", [])}
        if codes == {"unique"} and len(error.error_dict) == 1:
            return None
        raise _refused(error) from None


def _slugs(title: str) -> Iterator[str]:
    """Slugs for a title, the nicest first; `room` for a title without Latin letters."""
    base = slugify(title).replace("_", "-").strip("-")
    base = "-".join(filter(None, base.split("-")))[:SLUG_CHARS].rstrip("-") or "room"
    yield base
    stem = base[: SLUG_CHARS - 9].rstrip("-")
    for number in range(2, MAX_SLUGS_TRIED):
        yield f"{stem}-{number}"
    yield f"{stem}-{token_hex(4)}"


def _refused(error: ValidationError) -> Refused:
    """The first problem, with the name of its field."""
    for name, problems in error.message_dict.items():
        return Refused(ErrorCode.INVALID, f"{name}: {problems[0]}")
    return Refused(ErrorCode.INVALID, " ".join(error.messages))


def _visibility(room: Room) -> str:
    return "private" if room.is_private else "public"
