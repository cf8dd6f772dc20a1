"""The only door from a user and an id to an object. What a user may not know of is not found.

Functions that take `lock=True` belong inside a transaction: the row stays locked until its end.
"""

import threading
from collections.abc import Collection, Iterable, Mapping, Set
from typing import Any

from django.db import connection
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from chat.models import Membership, Message, Room
from hubbub import users
from hubbub.auth.identity import Identity, revalidate, with_permission
from hubbub.limits.token_buckets import Buckets
from hubbub.process.security_log import Kind, log_event
from hubbub.protocol import ErrorCode, Refused
from hubbub.queries import parameter, rows_by
from hubbub.text.confusables import name_key

# What a token must have been given.
WRITE = frozenset({"chat.write"})

READ_ANY_ROOM = "chat.read_any_room"
# The role of a user who reads a private room by that permission: no member, and nothing may be written.
READER = "reader"
READERS_ASKED_TOGETHER = 500

FEW_USERS = 200  # So many can be named in a query.
LOCK_NOT_AVAILABLE = "55P03"  # SQLSTATE, PostgreSQL's appendix A.

ENTER_ROOM = f"""
    SELECT room.*, NULLIF(membership.role, '{Membership.Role.NONE}') AS member_role,
           membership.banned_until IS NOT NULL AND membership.banned_until > %s AS is_banned
    FROM {Room._meta.db_table} room
    LEFT JOIN {Membership._meta.db_table} membership ON membership.room_id = room.id AND membership.user_id = %s
    WHERE room.slug = %s
"""  # noqa: S608 - the names of our own tables


_logged_openings = Buckets(per_second=1 / 60, burst=1)
_openings_lock = threading.Lock()  # Rooms are read in several threads.


def rooms_for(user_id: str) -> QuerySet[Room]:
    """Rooms that are the user's to read: public ones and those they are a member of, unless banned."""
    mine = Membership.objects.filter(room=OuterRef("pk"), user=users.key_of(user_id))
    banned = mine.filter(banned_until__gt=timezone.now())
    return Room.objects.filter(Q(is_private=False) | Exists(mine.exclude(role=Membership.Role.NONE)), ~Exists(banned))


def room_for(user_id: str, slug: str, *, lock: bool = False) -> Room:
    """The room, if the user may read it. Raises Refused `not_found`, also for a room that does not exist."""
    if not lock:
        return enter_room(user_id, slug)[0]
    # The row of the room orders all that changes it.
    key = users.key_of(user_id)
    room = None if key is None else locked_rooms_for([(key, slug)]).get((key, slug))
    if room is None:
        raise not_writable({(user_id, slug)})[user_id, slug]
    return room


def enter_room(user_id: str, slug: str) -> tuple[Room, str]:
    """The room and what the user is in it (see `role_in`, or READER), by one query. Raises Refused `not_found`.

    What is read by the permission to read all rooms is logged, wherever it is asked for.
    """
    found = find_room(user_id, slug)
    if found is None:
        raise room_not_found()
    if found[1] == READER:
        with _openings_lock:
            is_first = not _logged_openings.take((user_id, slug))
        if is_first:
            log_event(Kind.ROOM_READ, user=user_id, detail=slug)
    return found


def find_room(user_id: str, slug: str) -> tuple[Room, str] | None:
    """As `enter_room`, for those who only ask whether it would let the user in: nothing is logged.

    Written by hand: a storm of reconnecting clients spends most of its time here, and building this query anew for
    each costs ten times what running it does.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    member = parameter(Membership, "user", users.key_of(user_id))
    found: list[Any] = list(Room.objects.raw(ENTER_ROOM, [now, member, slug]))
    for room in found:
        if room.is_banned:
            return None
        if room.member_role is not None or not room.is_private:
            return room, room.member_role or Membership.Role.MEMBER
    # Also when there is no such room: the time that this takes must not tell which of them exist.
    may_read = bool(with_permission({user_id}, READ_ANY_ROOM))
    return (found[0], READER) if found and may_read else None


def room_not_found() -> Refused:
    return Refused(ErrorCode.NOT_FOUND, "room not found")


def not_writable(wanted: Set[tuple[str, str]]) -> dict[tuple[str, str], Refused]:
    """Why each (user's id, slug) cannot be written to: to readers the room exists, to others it does not.

    One look at permissions for all: whoever posts to rooms of others must not hold up those who post to theirs.
    """
    readers = with_permission({user_id for user_id, _ in wanted}, READ_ANY_ROOM) if wanted else ()
    return {
        (user_id, slug): Refused(ErrorCode.FORBIDDEN, "only members may write in this room")
        if user_id in readers and (found := find_room(user_id, slug)) and found[1] == READER
        else room_not_found()
        for user_id, slug in wanted
    }


def locked_rooms_for(wanted: Iterable[tuple[Any, str]]) -> dict[tuple[Any, str], Room]:
    """The rooms, locked, that each (user's key, slug) may write to; what is missing is not found for that user.

    One row lock per room, taken in the order of primary keys: two batches cannot wait for each other in a circle.
    """
    wanted = list(wanted)
    lock = " ORDER BY id FOR UPDATE" if connection.features.has_select_for_update else ""
    rooms = {room.slug: room for room in rows_by(Room, lock, slug={slug for _, slug in wanted})}
    if not rooms:
        return {}
    room_ids, keys = {room.pk for room in rooms.values()}, {key for key, _ in wanted}
    rows = rows_by(Membership, room_id=room_ids, user_id=keys)
    memberships: dict[tuple[Any, int], Membership] = {(row.user_id, row.room_id): row for row in rows}
    return {
        (key, slug): room
        for key, slug in wanted
        if (room := rooms.get(slug)) and is_in(room, memberships.get((key, room.pk)))
    }


def is_lock_timeout(error: BaseException) -> bool:
    """Whether PostgreSQL has waited for a lock as long as it may. SQLite has one lock for everything."""
    return getattr(error.__cause__, "sqlstate", None) == LOCK_NOT_AVAILABLE


def wait_shortly_for_locks() -> None:
    """In this transaction, since it was waited for before."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL lock_timeout = '100ms'")


def is_in(room: Room, membership: Membership | None) -> bool:
    """The rule of `rooms_for`, for rows at hand."""
    if membership is None:
        return not room.is_private
    return not membership.is_banned and (membership.is_member or not room.is_private)


def unwelcome_in(rooms: Mapping[str, Set[str]]) -> dict[str, dict[str, str]]:
    """Of the users in many rooms, by slug, those who may not read them, with why: the codes of `room.closed`."""
    is_private = dict(Room.objects.filter(slug__in=rooms).values_list("slug", "is_private"))
    said = Membership.objects.filter(Q(room__is_private=True) | ~Q(banned_until=None), room__slug__in=rooms)
    asked = set().union(*rooms.values())
    if len(asked) <= FEW_USERS:
        # Of somebody in many large rooms, not all their members are wanted.
        said = said.filter(user__in=[users.key_of(one) for one in asked])
    memberships: dict[tuple[str, Any], Membership] = {
        (one.room.slug, one.user_id): one for one in said.select_related("room")
    }
    unwelcome: dict[str, dict[str, str]] = {}
    outsiders: list[tuple[str, str]] = []
    for slug, user_ids in rooms.items():
        for user_id in user_ids:
            membership = memberships.get((slug, users.key_of(user_id)))
            if slug not in is_private:
                why = "deleted"
            elif membership is not None and membership.is_banned:
                why = "banned"
            elif is_private[slug] and not (membership is not None and membership.is_member):
                outsiders.append((slug, user_id))
                continue
            else:
                continue
            unwelcome.setdefault(slug, {})[user_id] = why
    readers = _readers_among({user_id for _, user_id in outsiders})
    for slug, user_id in outsiders:
        if user_id not in readers:
            unwelcome.setdefault(slug, {})[user_id] = "removed"
    return unwelcome


def _readers_among(user_ids: Set[str]) -> set[str]:
    """Those who may read all rooms. A public room that is made private has many outsiders at once."""
    ids, readers = [*user_ids], set[str]()
    for start in range(0, len(ids), READERS_ASKED_TOGETHER):
        readers |= {*with_permission({*ids[start : start + READERS_ASKED_TOGETHER]}, READ_ANY_ROOM)}
    return readers


def writable_room_for(user_id: str, slug: str) -> Room:
    """The room, locked, if the user may write to it. Raises Refused `not_found` or `forbidden`."""
    room = room_for(user_id, slug, lock=True)
    check_writable(room)
    return room


def writers_for(by: Iterable[Identity | None], keys: Iterable[Any]) -> tuple[dict[Any, Any], set[Identity]]:
    """The users who exist, by key, and those of `by` that still let their user write. Belongs inside a transaction."""
    found = users.read_users({*keys})
    renewed = revalidate({one for one in by if one}, {users.id_of(user): user for user in found.values()})
    return found, {one for one, now in renewed.items() if now is not None and now.has_any_scope(WRITE)}


def check_still_in(by: Identity | None, user_id: str) -> None:
    """Refuse who was signed out, or whose token was revoked, since the socket was let in. None: not by a socket."""
    if by is not None and by not in writers_for([by], [users.key_of(user_id)])[1]:
        raise signed_out()


def signed_out() -> Refused:
    return Refused(ErrorCode.UNAUTHORIZED, "you are signed out")


def check_writable(room: Room) -> None:
    if room.is_archived:
        raise Refused(ErrorCode.FORBIDDEN, "this room is archived")


def message_in(room: Room, seq: int) -> Message:
    """The message of a room that was got here. Raises Refused `not_found`."""
    message = Message.objects.select_related("author").filter(room=room, seq=seq).first()
    if message is None:
        raise Refused(ErrorCode.NOT_FOUND, "message not found")
    return message


def last_messages(rooms: Iterable[Room]) -> dict[int, Message]:
    """The latest message of each of the rooms that were got here, by the room's id; empty rooms have none."""
    latest = Message.objects.filter(room__in=[room.pk for room in rooms], seq=F("room__last_seq"))
    return {message.room_id: message for message in latest.select_related("author")}


def rooms_that_show(user_id: str) -> list[str]:
    """The slugs of the rooms whose members know the user: by what was written there, or by a membership."""
    key = users.key_of(user_id)
    said = Message.objects.filter(author=key).order_by().values("room")
    belongs = Membership.objects.filter(user=key).exclude(role=Membership.Role.NONE).order_by().values("room")
    return list(Room.objects.filter(Q(pk__in=said) | Q(pk__in=belongs)).values_list("slug", flat=True))


def rooms_that_look_like(room: Room) -> list[Room]:
    """Other rooms with the same title, or one that is drawn alike: teams may have them, on purpose or not."""
    key = name_key(room.title)
    return [one for one in Room.objects.exclude(pk=room.pk) if name_key(one.title) == key]


def role_in(user_id: str, room: Room) -> str:
    """`moderator`, or `member`: also for who reads a public room without belonging to it."""
    mine = Membership.objects.filter(room=room, user=users.key_of(user_id)).exclude(role=Membership.Role.NONE)
    return mine.values_list("role", flat=True).first() or Membership.Role.MEMBER


def membership_of(room_id: int, user_id: str, *, lock: bool = False) -> Membership | None:
    """What is on record of the user in the room. For the staff and for services: nobody's access is looked at."""
    memberships = Membership.objects.select_for_update() if lock else Membership.objects
    return memberships.filter(room=room_id, user=users.key_of(user_id)).first()


def bans_in(room: Room, user_ids: Collection[str] | None = None) -> QuerySet[Membership]:
    """The bans that are in force, of these users or of all, those that end first before the others. For the staff."""
    bans = room.memberships.filter(banned_until__gt=timezone.now()).select_related("user")
    if user_ids is not None:
        bans = bans.filter(user__in=[users.key_of(one) for one in user_ids])
    return bans.order_by("banned_until", "pk")


def last_authors(room: Room, most: int) -> list[Any]:
    """The users who wrote last in the room, the latest first. For the staff."""
    written = Message.objects.filter(room=room).exclude(author=None).order_by("-seq")
    keys = list(dict.fromkeys(written.values_list("author", flat=True)[: 25 * most]))[:most]
    found = users.read_users(keys)
    return [found[key] for key in keys if key in found]


def can_edit(user_id: str, message: Message) -> bool:
    author: Any = message.author_id
    return author is not None and author == users.key_of(user_id)


def can_delete(user_id: str, message: Message, room: Room) -> bool:
    return can_edit(user_id, message) or role_in(user_id, room) == Membership.Role.MODERATOR
