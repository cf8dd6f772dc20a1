"""Access checks: the only way from a user and an id to an object. A forbidden object is not found.

Call functions with `lock=True` inside a transaction: the row stays locked until its end.
"""

from collections.abc import Collection, Iterable, Sequence, Set
from typing import Any

from django.db import connections
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from chat.models import Membership, Message, PersonalState, Room, database
from hubbub import users
from hubbub.auth import Identity, has_permission, revalidate, with_permission
from hubbub.process import Kind, log_event
from hubbub.protocol import ErrorCode, Refused
from hubbub.queries import parameter, read_users, rows_by
from hubbub.text import name_key

# The scope that a token needs to write.
WRITE = frozenset({"chat.write"})

CHANGE_ROOM = "chat.change_room"
READ_ANY_ROOM = "chat.read_any_room"
# The role of a user who reads a private room by that permission, without being a member: read only.
READER = "reader"

ENTER_ROOM = f"""
    SELECT room.*, NULLIF(membership.role, '{Membership.Role.NONE}') AS member_role,
           membership.banned_until IS NOT NULL AND membership.banned_until > %s AS is_banned,
           mine.read_seq, mine.read_version
    FROM {Room._meta.db_table} room
    LEFT JOIN {Membership._meta.db_table} membership ON membership.room_id = room.id AND membership.user_id = %s
    LEFT JOIN {PersonalState._meta.db_table} mine ON mine.room_id = room.id AND mine.user_id = %s
    WHERE room.slug = %s
"""  # noqa: S608 - only names of our own tables


QUIET_SECONDS = 60.0  # Between two log lines of a reader's reads of one room.


def rooms_for(user_id: str) -> QuerySet[Room]:
    """The rooms that the user may read: public rooms and those of their memberships, without rooms that ban them."""
    mine = Membership.objects.filter(room=OuterRef("pk"), user=users.key_of(user_id))
    banned = mine.filter(banned_until__gt=timezone.now())
    return Room.objects.filter(Q(is_private=False) | Exists(mine.exclude(role=Membership.Role.NONE)), ~Exists(banned))


def room_for(user_id: str, slug: str, *, lock: bool = False) -> Room:
    """The room, if the user may read it (with `lock`: may write to it).

    Raises:
        Refused: `not_found`, also for a room that does not exist; `forbidden` to lock a room that the user only reads.
    """
    if not lock:
        return enter_room(user_id, slug)[0]
    # The lock on the row puts all changes of the room in order.
    key = users.key_of(user_id)
    room = None if key is None else locked_rooms_for([(key, slug)]).get((key, slug))
    if room is None:
        raise write_refusals({(user_id, slug)})[user_id, slug]
    return room


def enter_room(user_id: str, slug: str) -> tuple[Room, str]:
    """The room and the user's role in it (see `role_in`, or READER), by one query.

    A read by the permission to read all rooms is logged, at most once a minute per user and room.

    Raises:
        Refused: `not_found`.
    """
    found = find_room(user_id, slug)
    if found is None:
        raise room_not_found()
    if found[1] == READER:
        log_event(Kind.ROOM_READ, user=user_id, detail=slug, quiet_seconds=QUIET_SECONDS)
    return found


def manages(user_id: str, role: str) -> bool:
    """Whether the page offers to manage a room: to its moderators, and to users with the permission to change rooms."""
    return role == Membership.Role.MODERATOR or has_permission(user_id, CHANGE_ROOM)


def find_room(user_id: str, slug: str) -> tuple[Room, str] | None:
    """As `enter_room`, but only a check: None instead of an error, and nothing is logged.

    Raw SQL: when many clients reconnect at once, most of the time is spent here. Building the query with the ORM costs
    ten times as much as running it.
    """
    alias = database()
    now = connections[alias].ops.adapt_datetimefield_value(timezone.now())
    member = parameter(Membership, "user", users.key_of(user_id))
    found: list[Any] = list(Room.objects.using(alias).raw(ENTER_ROOM, [now, member, member, slug]))
    for room in found:
        if room.is_banned:
            return None
        if room.member_role is not None or not room.is_private:
            return room, room.member_role or Membership.Role.MEMBER
    # Asked for a missing room too: the time of the answer must not reveal which rooms exist.
    may_read = bool(with_permission({user_id}, READ_ANY_ROOM))
    return (found[0], READER) if found and may_read else None


def pk_of(slug: str) -> int | None:
    """The key of a room, for the admin. Nothing is checked."""
    return Room.objects.filter(slug=slug).values_list("pk", flat=True).first()


def room_not_found() -> Refused:
    return Refused(ErrorCode.NOT_FOUND, "room not found")


def write_refusals(wanted: Set[tuple[str, str]]) -> dict[tuple[str, str], Refused]:
    """The error for each (user's id, slug) that may not be written to: only readers learn that the room exists.

    One permission query for all: posts to forbidden rooms must not delay the other posts of a batch.
    """
    readers = with_permission({user_id for user_id, _ in wanted}, READ_ANY_ROOM) if wanted else ()
    return {
        (user_id, slug): Refused(ErrorCode.FORBIDDEN, "only members may write in this room")
        if user_id in readers and (found := find_room(user_id, slug)) and found[1] == READER
        else room_not_found()
        for user_id, slug in wanted
    }


def locked_rooms_for(wanted: Iterable[tuple[Any, str]]) -> dict[tuple[Any, str], Room]:
    """The locked room of each (user's key, slug) that the user may write to; other pairs are left out.

    Rows are locked in the order of primary keys: two batches cannot deadlock. Not against rows that refer to them, such
    as a new membership, which would wait for the whole batch.
    """
    lock = " ORDER BY id FOR NO KEY UPDATE" if connections[database()].features.has_select_for_update else ""
    return _rooms_in(list(wanted), lock)


def readable_rooms_for(wanted: Iterable[tuple[Any, str]]) -> dict[tuple[Any, str], Room]:
    """The room of each (user's key, slug) that the user may read, in a few queries for all."""
    wanted = list(wanted)
    found = _rooms_in(wanted)
    others = [pair for pair in wanted if pair not in found]
    readers = with_permission({users.id_of_key(key) for key, _ in others}, READ_ANY_ROOM) if others else ()
    return found | _rooms_in(
        [(key, slug) for key, slug in others if users.id_of_key(key) in readers], may_read_any=True
    )


def _rooms_in(
    wanted: Sequence[tuple[Any, str]], lock: str = "", *, may_read_any: bool = False
) -> dict[tuple[Any, str], Room]:
    """The room of each pair, if it is open to the user. `may_read_any`: readers of all rooms ask."""
    rooms = {room.slug: room for room in rows_by(Room, lock, slug={slug for _, slug in wanted})}
    if not rooms:
        return {}
    room_ids, keys = {room.pk for room in rooms.values()}, {key for key, _ in wanted}
    rows = rows_by(Membership, room_id=room_ids, user_id=keys)
    memberships: dict[tuple[Any, int], Membership] = {(row.user_id, row.room_id): row for row in rows}

    def is_open(room: Room, membership: Membership | None) -> bool:
        is_banned = membership is not None and membership.is_banned
        return not is_banned if may_read_any else is_in(room, membership)

    return {
        (key, slug): room
        for key, slug in wanted
        if (room := rooms.get(slug)) and is_open(room, memberships.get((key, room.pk)))
    }


def is_in(room: Room, membership: Membership | None) -> bool:
    """The rule of `rooms_for`, for rows at hand."""
    if membership is None:
        return not room.is_private
    return not membership.is_banned and (membership.is_member or not room.is_private)


def writable_room_for(user_id: str, slug: str) -> Room:
    """The room, locked, if the user may write to it. Raises Refused `not_found` or `forbidden`."""
    room = room_for(user_id, slug, lock=True)
    check_writable(room)
    return room


def writers_for(by: Iterable[Identity | None], keys: Iterable[Any]) -> tuple[dict[Any, Any], set[Identity]]:
    """The existing users by key, and the identities of `by` that may still write. Must run inside a transaction."""
    found = read_users({*keys})
    identities = {identity for identity in by if identity}
    renewed = revalidate(identities, {users.id_of(user): user for user in found.values()})
    return found, {identity for identity, now in renewed.items() if now is not None and now.has_any_scope(WRITE)}


def check_identity(by: Identity | None, user_id: str) -> None:
    """Raise Refused if the session or token of the socket is no longer valid. None: the call came by no socket."""
    if by is not None and by not in writers_for([by], [users.key_of(user_id)])[1]:
        raise signed_out()


def signed_out() -> Refused:
    return Refused(ErrorCode.UNAUTHORIZED, "you are signed out")


def check_writable(room: Room) -> None:
    if room.is_archived:
        raise Refused(ErrorCode.FORBIDDEN, "this room is archived")


def message_in(room: Room, seq: int) -> Message:
    """The message with this seq. Raises Refused `not_found`. Access to the room is not checked."""
    message = Message.objects.using(database()).select_related("author").filter(room=room, seq=seq).first()
    if message is None:
        raise Refused(ErrorCode.NOT_FOUND, "message not found")
    return message


def last_messages(rooms: Iterable[Room]) -> dict[int, Message]:
    """The latest message of each room by the room's id, without empty rooms. Access is not checked."""
    latest = Message.objects.filter(room__in=[room.pk for room in rooms], seq=F("room__last_seq"))
    return {message.room_id: message for message in latest.select_related("author")}


def rooms_showing(user_id: str) -> list[str]:
    """The slugs of the rooms that show the user's name: rooms with their messages or their membership."""
    key = users.key_of(user_id)
    written = Message.objects.filter(author=key).order_by().values("room")
    memberships = Membership.objects.filter(user=key).exclude(role=Membership.Role.NONE).order_by().values("room")
    return list(Room.objects.filter(Q(pk__in=written) | Q(pk__in=memberships)).values_list("slug", flat=True))


def look_alike_rooms(room: Room) -> list[Room]:
    """Other rooms whose title is the same or looks the same. They are allowed."""
    key = name_key(room.title)
    return [other for other in Room.objects.exclude(pk=room.pk) if name_key(other.title) == key]


def role_in(user_id: str, room: Room) -> str:
    """`moderator` or `member`; every user without a membership counts as a member of a public room."""
    mine = Membership.objects.filter(room=room, user=users.key_of(user_id)).exclude(role=Membership.Role.NONE)
    return mine.values_list("role", flat=True).first() or Membership.Role.MEMBER


def membership_of(room_id: int, user_id: str, *, lock: bool = False) -> Membership | None:
    """The user's membership or ban in the room. For staff pages and services: access is not checked."""
    memberships = Membership.objects.select_for_update() if lock else Membership.objects
    return memberships.filter(room=room_id, user=users.key_of(user_id)).first()


def bans_in(room: Room, user_ids: Collection[str] | None = None) -> QuerySet[Membership]:
    """The bans in force, of these users or of all, ordered by their end. For staff pages."""
    bans = room.memberships.filter(banned_until__gt=timezone.now()).select_related("user")
    if user_ids is not None:
        bans = bans.filter(user__in=[users.key_of(user_id) for user_id in user_ids])
    return bans.order_by("banned_until", "pk")


def last_authors(room: Room, count: int) -> list[Any]:
    """At most `count` users who wrote last in the room, the latest first. For staff pages."""
    written = Message.objects.filter(room=room).exclude(author=None).order_by("-seq")
    keys = list(dict.fromkeys(written.values_list("author", flat=True)[: 25 * count]))[:count]
    found = read_users(keys)
    return [found[key] for key in keys if key in found]


def can_edit(user_id: str, message: Message) -> bool:
    author: Any = message.author_id
    return author is not None and author == users.key_of(user_id)


def can_delete(user_id: str, message: Message, room: Room) -> bool:
    return can_edit(user_id, message) or role_in(user_id, room) == Membership.Role.MODERATOR
