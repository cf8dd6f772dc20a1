"""How far people have read, and what else is their own in a room: the writer of PersonalState.

A change sets the row's position to 0. `telling`, once a second in each process, gives such rows their positions
and publishes them to the person's pages. So a change costs no statement more, and a killed process loses none.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from django.db import connections, transaction
from django.db.models import BigIntegerField, F, OuterRef, QuerySet, Subquery
from django.db.models.functions import Greatest

from chat import access, read_signals
from chat.models import Membership, Message, PersonalState, Room, database
from chat.protocol import OwnState, PersonRoom, ReadState
from chat.serializers import rooms_topic
from hubbub import users
from hubbub.auth import Identity
from hubbub.protocol import Refused
from hubbub.queries import parameter, rows_by

ROWS_PER_STEP = 500
TABLE = PersonalState._meta.db_table


@dataclass(frozen=True, slots=True)
class Report:
    """One report of a page: messages up to `seq` were shown, or are to be unread from it on.

    Attributes:
        version: that the page knows; None to mark unread.
        by: The session or token that the report came by; None for one that came by no socket.
    """

    user_id: str
    slug: str
    seq: int
    version: int | None = None
    by: Identity | None = None


# Reports of pages


def mark_read(reports: Sequence[Report]) -> list[ReadState | Refused]:
    """Raise read positions, never above the room's last message. Runs in the caller's transaction.

    A report with another version than the stored one changes nothing: the user has marked messages unread since.
    """
    return _apply(reports, _raise)


def mark_unread(reports: Sequence[Report]) -> list[ReadState | Refused]:
    """Lower read positions, so that messages from `seq` on are unread, and raise the versions. As `mark_read`."""
    return _apply(reports, _lower)


def _apply(reports: Sequence[Report], change: Any) -> list[ReadState | Refused]:
    keys = {
        user_id: key for user_id in {each.user_id for each in reports} if (key := users.key_of(user_id)) is not None
    }
    authors, identities = access.writers_for([each.by for each in reports], keys.values())
    rooms = access.readable_rooms_for(
        {(key, each.slug) for each in reports if (key := keys.get(each.user_id)) in authors}
    )
    allowed: dict[Report, tuple[Any, Room]] = {}
    for each in reports:
        key = keys.get(each.user_id)
        if (key, each.slug) in rooms and (each.by is None or each.by in identities):
            allowed[each] = key, rooms[key, each.slug]
    stored: dict[tuple[Any, int], ReadState] = {}
    if allowed:
        _enter(allowed.values())
        change(allowed)
        stored = _stored(allowed.values())
        read_signals.wake_after_commit()
    return [_answer(each, allowed, stored, identities) for each in reports]


def _answer(each: Report, allowed: Mapping[Report, Any], stored: Mapping[Any, ReadState], identities: Any) -> Any:
    if each in allowed:
        key, room = allowed[each]
        return stored.get((key, room.pk)) or access.room_not_found()
    if each.by is not None and each.by not in identities:
        return access.signed_out()
    return access.room_not_found()


def _raise(allowed: Mapping[Report, tuple[Any, Room]]) -> None:
    wanted: dict[tuple[Any, int, int], int] = {}
    for each, (key, room) in allowed.items():
        pair = (key, room.pk, each.version or 0)
        wanted[pair] = max(wanted.get(pair, 0), min(each.seq, room.last_seq))
    _update(
        [
            (key, room_id, seq, "read_version = %s AND read_seq < %s", [version, seq])
            for (key, room_id, version), seq in wanted.items()
        ]
    )


def _lower(allowed: Mapping[Report, tuple[Any, Room]]) -> None:
    wanted: dict[tuple[Any, int], int] = {}
    for each, (key, room) in allowed.items():
        seq = max(each.seq - 1, 0)
        wanted[key, room.pk] = min(wanted.get((key, room.pk), seq), seq)
    # Two updates: versions rise also where no position falls, since the user has said so later than other pages.
    _update([(key, room_id, seq, "read_seq > %s", [seq]) for (key, room_id), seq in wanted.items()])
    _update([(key, room_id, None, "1 = 1", []) for key, room_id in wanted], also="read_version = read_version + 1, ")


def _update(changes: Sequence[tuple[Any, int, int | None, str, list[Any]]], *, also: str = "") -> None:
    """Set the read positions of some rows where a condition holds, in one statement, and note them as not told.

    Rows are locked in the order of primary keys: two batches cannot deadlock.

    Args:
        changes: each with the user's key, the room's id, the position (None: as it is), a condition, its parameters.
    """
    if not changes:
        return
    connection = connections[database()]
    lock = " ORDER BY id FOR NO KEY UPDATE" if connection.features.has_select_for_update else ""
    cases, conditions, values, parameters = "", [], [], []
    for key, room_id, seq, condition, rest in changes:
        own = [parameter(PersonalState, "user", key), room_id]
        if seq is not None:
            # With its condition: a report that counts no more may share the statement with one that does.
            cases += f" WHEN user_id = %s AND room_id = %s AND {condition} THEN %s"
            values += [*own, *rest, seq]
        conditions.append(f"user_id = %s AND room_id = %s AND {condition}")
        parameters += [*own, *rest]
    seqs = f"read_seq = CASE{cases} ELSE read_seq END, " if cases else ""
    found = f"SELECT id FROM {TABLE} WHERE ({') OR ('.join(conditions)}){lock}"  # noqa: S608 - our own names
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE {TABLE} SET {seqs}{also}position = 0 WHERE id IN ({found})", [*values, *parameters])  # noqa: S608


def _enter(pairs: Iterable[tuple[Any, Room]]) -> None:
    """Make the missing rows: a room that is entered first is read up to then."""
    wanted = {(key, room.pk): room for key, room in pairs}
    known = _stored([(key, room) for (key, _), room in wanted.items()])
    PersonalState.objects.using(database()).bulk_create(
        [
            PersonalState(user_id=key, room=room, read_seq=room.last_seq)
            for (key, room_id), room in sorted(wanted.items(), key=lambda item: (str(item[0][0]), item[0][1]))
            if (key, room_id) not in known
        ],
        ignore_conflicts=True,
    )


def _stored(pairs: Iterable[tuple[Any, Room]]) -> dict[tuple[Any, int], ReadState]:
    pairs = list(pairs)
    rows = rows_by(PersonalState, user_id={key for key, _ in pairs}, room_id={room.pk for _, room in pairs})
    return {(row.user_id, row.room_id): ReadState(seq=row.read_seq, version=row.read_version) for row in rows}


# Posts


def raise_for_own(messages: Mapping[Room, Sequence[Message]]) -> None:
    """Own posts are read by their authors, if all before them was. In the transaction of the posts, one statement.

    Of each room only the author of the first new message may have read all before it. The caller has locked the rooms.
    """
    changes = []
    for room, new in messages.items():
        author: Any = new[0].author_id
        last = new[0].seq
        for message in new[1:]:
            if message.author_id != author:
                break
            last = message.seq
        changes.append((author, room.pk, last, "read_seq = %s", [new[0].seq - 1]))
    if changes:
        _update(changes)
        read_signals.wake_after_commit()


# Preferences


def prefer(
    user_id: str, slug: str, *, muted: bool | None = None, favourite: bool | None = None, left: bool | None = None
) -> OwnState:
    """Set what is given, and tell the person's pages.

    Raises:
        Refused: `not_found`: the user may not read the room.
    """
    wanted = {"is_muted": muted, "is_favourite": favourite, "has_left": left}
    changed = {name: value for name, value in wanted.items() if value is not None}
    with transaction.atomic(using=database()):
        room = access.room_for(user_id, slug)
        key = users.key_of(user_id)
        _enter([(key, room)])
        mine = PersonalState.objects.using(database()).filter(user=key, room=room)
        mine.update(**changed, position=0)
        read_signals.wake_after_commit()
        if left is not None:
            rooms_topic().lists_changed(user_ids=[user_id])
        return own_state(mine.get())


def note_access(user_key: Any, room_id: int) -> None:
    """Tell the person's pages a room anew, after a change of the person's membership: it may be open again."""
    if PersonalState.objects.using(database()).filter(user=user_key, room=room_id).update(position=0):
        read_signals.wake_after_commit()


def note_opened(room_id: int) -> None:
    """After the commit tell a room anew to all who are no members: it may have been private, and is public now."""
    transaction.on_commit(partial(_note_opened, room_id), using=database(), robust=True)


def _note_opened(room_id: int) -> None:
    members = Membership.objects.filter(room=room_id).exclude(role=Membership.Role.NONE).order_by()
    others = PersonalState.objects.using(database()).filter(room=room_id).exclude(user__in=members.values("user"))
    last = 0
    # In short statements: posts and reports of these people wait for each.
    while keys := list(others.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:ROWS_PER_STEP]):
        PersonalState.objects.using(database()).filter(pk__in=keys).update(position=0)
        last = keys[-1]
    read_signals.wake()


# Reading


def states_of(user_id: str) -> dict[str, OwnState]:
    """The user's own state of each room that the user may read, by slug, in one query."""
    return {row.room.slug: own_state(row) for row in _readable(user_id)}


def changes_of(user_id: str, after: int, limit: int) -> list[tuple[int, PersonRoom]]:
    """At most `limit` changes after a position, of rooms that the user may read, each as it is now."""
    rows = _readable(user_id).filter(position__gt=after).order_by("position")[:limit]
    return [(row.position, event_of(row)) for row in rows]


def unread_of(user_id: str) -> dict[int, int]:
    """The number of unread messages in each room with any, by the room's id, in one query. Access is not checked."""
    mine = PersonalState.objects.filter(user=users.key_of(user_id), read_seq__lt=F("room__last_seq"))
    return dict(mine.values_list("room", F("room__last_seq") - F("read_seq")))


def with_unread(user_id: str, rooms: QuerySet[Room]) -> QuerySet[Room]:
    """The rooms, each with its number of unread messages as `unread`, in the same query. None: never entered."""
    mine = PersonalState.objects.filter(user=users.key_of(user_id), room=OuterRef("pk"))
    count = Greatest(F("last_seq") - Subquery(mine.values("read_seq")), 0, output_field=BigIntegerField())
    return rooms.annotate(unread=count)


def own_state(row: PersonalState) -> OwnState:
    """The row on the wire."""
    return OwnState(
        read_seq=row.read_seq,
        read_version=row.read_version,
        muted=row.is_muted,
        favourite=row.is_favourite,
        left=row.has_left,
    )


def event_of(row: PersonalState) -> PersonRoom:
    """The event of the row's last change."""
    mine = own_state(row)
    return PersonRoom(room=row.room.slug, **{name: getattr(mine, name) for name in mine.__struct_fields__})


def _readable(user_id: str) -> Any:
    rooms = access.rooms_for(user_id).order_by().values("pk")
    return PersonalState.objects.filter(user=users.key_of(user_id), room__in=rooms).select_related("room")
