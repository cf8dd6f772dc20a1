"""The only door from a user and an id to an object. What a user may not know of is not found.

Functions that take `lock=True` belong inside a transaction: the row stays locked until its end.
"""

import functools
from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from django.db import connection, models
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.utils import timezone

from chat.models import Membership, Message, Room
from realtime.protocol import ErrorCode, Refused

M = TypeVar("M", bound=models.Model)

ENTER_ROOM = f"""
    SELECT room.*, membership.role AS member_role,
           membership.banned_until IS NOT NULL AND membership.banned_until > %s AS is_banned
    FROM {Room._meta.db_table} room
    LEFT JOIN {Membership._meta.db_table} membership ON membership.room_id = room.id AND membership.user_id = %s
    WHERE room.slug = %s
"""  # noqa: S608 - the names of our own tables


def rooms_for(user_id: int) -> QuerySet[Room]:
    """Rooms that the user may enter and read: public ones and those they are a member of, unless banned."""
    mine = Membership.objects.filter(room=OuterRef("pk"), user=user_id)
    banned = mine.filter(banned_until__gt=timezone.now())
    return Room.objects.filter(Q(is_private=False) | Exists(mine), ~Exists(banned))


def room_for(user_id: int, slug: str, *, lock: bool = False) -> Room:
    """The room, if the user may read it. Raises Refused `not_found`, also for a room that does not exist."""
    if not lock:
        return enter_room(user_id, slug)[0]
    # The row of the room orders all that changes it.
    room = locked_rooms_for([(user_id, slug)]).get((user_id, slug))
    if room is None:
        raise room_not_found()
    return room


def enter_room(user_id: int, slug: str) -> tuple[Room, str]:
    """The room and what the user is in it (see `role_in`), by one query. Raises Refused `not_found`.

    Written by hand: a storm of reconnecting clients spends most of its time here, and building this query anew for
    each costs ten times what running it does.
    """
    now = connection.ops.adapt_datetimefield_value(timezone.now())
    found: list[Any] = list(Room.objects.raw(ENTER_ROOM, [now, user_id, slug]))
    for room in found:
        if not room.is_banned and (room.member_role is not None or not room.is_private):
            return room, room.member_role or Membership.Role.MEMBER
    raise room_not_found()


def room_not_found() -> Refused:
    return Refused(ErrorCode.NOT_FOUND, "there is no such room for you")


def locked_rooms_for(wanted: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Room]:
    """The rooms, locked, that each (user id, slug) may read; what is missing is not found for that user.

    One row lock per room, taken in the order of primary keys: two batches cannot wait for each other in a circle.
    """
    wanted = list(wanted)
    lock = " ORDER BY id FOR UPDATE" if connection.features.has_select_for_update else ""
    rooms = {room.slug: room for room in rows_by(Room, lock, slug={slug for _, slug in wanted})}
    if not rooms:
        return {}
    room_ids, user_ids = {room.pk for room in rooms.values()}, {user_id for user_id, _ in wanted}
    rows = rows_by(Membership, room_id=room_ids, user_id=user_ids)
    memberships = {(row.user_id, row.room_id): row for row in rows}
    return {
        (user_id, slug): room
        for user_id, slug in wanted
        if (room := rooms.get(slug)) and can_read(room, memberships.get((user_id, room.pk)))
    }


def rows_by(model: type[M], ending: str = "", /, **columns: Collection[Any]) -> list[M]:
    """The rows whose columns have one of the values given for each, by a query written by hand.

    For the way of a post: the ORM would spend far longer on building its statements than they take to run.
    """
    names, select, converters = _plan(model, connection.vendor)
    where = " AND ".join(f"{name} IN ({', '.join(['%s'] * len(values))})" for name, values in columns.items())
    with connection.cursor() as cursor:
        cursor.execute(f"{select} WHERE {where}{ending}", [value for values in columns.values() for value in values])
        found = cursor.fetchall()
    rows = []
    for values in map(list, found):
        for at, column, convert in converters:
            values[at] = convert(values[at], column, connection)
        rows.append(model.from_db(connection.alias, names, values))
    return rows


@functools.cache
def _plan(model: type[models.Model], vendor: str) -> tuple[list[str], str, list[tuple[int, Any, Any]]]:
    """Of a model on this kind of database: its fields, the query's beginning, and what makes columns into values."""
    columns = [field.get_col(model._meta.db_table) for field in model._meta.concrete_fields]
    converters = [
        (at, column, convert)
        for at, column in enumerate(columns)
        for convert in (*connection.ops.get_db_converters(column), *column.get_db_converters(connection))
    ]
    listed = ", ".join(f'"{column.target.column}"' for column in columns)
    names = [str(column.target.attname) for column in columns]
    return names, f"SELECT {listed} FROM {model._meta.db_table}", converters  # noqa: S608 - names of our own columns


def can_read(room: Room, membership: Membership | None) -> bool:
    """The rule of `rooms_for`, for rows at hand."""
    if membership is None:
        return not room.is_private
    return not membership.is_banned


def writable_room_for(user_id: int, slug: str) -> Room:
    """The room, locked, if the user may write to it. Raises Refused `not_found` or `forbidden`."""
    room = room_for(user_id, slug, lock=True)
    check_writable(room)
    return room


def check_writable(room: Room) -> None:
    if room.is_archived:
        raise Refused(ErrorCode.FORBIDDEN, "this room is archived")


def message_in(room: Room, seq: int) -> Message:
    """The message of a room that was got here. Raises Refused `not_found`."""
    message = Message.objects.select_related("author").filter(room=room, seq=seq).first()
    if message is None:
        raise Refused(ErrorCode.NOT_FOUND, "there is no such message")
    return message


def last_messages(rooms: Iterable[Room]) -> dict[int, Message]:
    """The latest message of each of the rooms that were got here, by the room's id; empty rooms have none."""
    latest = Message.objects.filter(room__in=[room.pk for room in rooms], seq=F("room__last_seq"))
    return {message.room_id: message for message in latest.select_related("author")}


def role_in(user_id: int, room: Room) -> str:
    """`moderator`, or `member`: also for who reads a public room without belonging to it."""
    role = Membership.objects.filter(room=room, user=user_id).values_list("role", flat=True).first()
    return role or Membership.Role.MEMBER


def can_edit(user_id: int, message: Message) -> bool:
    return message.author_id == user_id


def can_delete(user_id: int, message: Message, room: Room) -> bool:
    return message.author_id == user_id or role_in(user_id, room) == Membership.Role.MODERATOR
