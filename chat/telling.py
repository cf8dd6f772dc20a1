"""Saves first entries, and tells people's pages what changed in their states. Synchronous; `background` calls it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import DatabaseError, InterfaceError, connections, transaction

from chat import access, read_signals
from chat.models import Membership, Message, PersonalState, Room, database
from chat.reading import event_of
from chat.serializers import person_topic, rooms_topic
from hubbub import users
from hubbub.queries import rows_by
from hubbub.topics import next_positions

OWN_MESSAGES = 50  # Written within the second after a first entry.
ROWS_PER_STEP = 200  # In one transaction of a few milliseconds: posts of these people wait for it.


def save_entries() -> None:
    """Make the rows of first entries since the last call, in one transaction."""
    noted = read_signals.take_entries()
    # In the order of `reading`: two processes that save entries of the same users do not deadlock.
    entries = sorted(((*pair, seq) for pair, seq in noted.items()), key=lambda row: (str(row[0]), row[1]))
    for start in range(0, len(entries), ROWS_PER_STEP):
        try:
            _save_entries(entries[start : start + ROWS_PER_STEP])
        except (DatabaseError, InterfaceError):
            read_signals.note_again(entries[start:])
            raise


def _save_entries(entries: Sequence[tuple[Any, int, int]]) -> None:
    with transaction.atomic(using=database()):
        # An account or a room that was deleted since.
        existing, _ = access.writers_for([], {key for key, _, _ in entries})
        rooms = {room.pk: room for room in Room.objects.filter(pk__in={room for _, room, _ in entries})}
        PersonalState.objects.using(database()).bulk_create(
            [
                PersonalState(user_id=key, room_id=room_id, read_seq=_own_until(rooms[room_id], key, seq))
                for key, room_id, seq in entries
                if key in existing and room_id in rooms
            ],
            ignore_conflicts=True,
        )


def _own_until(room: Room, key: Any, seq: int) -> int:
    """How far a user has read who entered at `seq`: to the end of own messages that came next, before this row was."""
    if room.last_seq > seq:
        newer = Message.objects.filter(room=room, seq__gt=seq).order_by("seq").values_list("seq", "author")
        for at, author in newer[:OWN_MESSAGES]:
            if author != key or at != seq + 1:
                break
            seq = at
    return seq


def note_ended_bans(after: datetime, until: datetime) -> None:
    """Have the rooms of bans that ended in this time told to their people, and listed again. Nothing was saved then."""
    ended = Membership.objects.using(database()).filter(banned_until__gt=after, banned_until__lte=until)
    pairs = list(ended.order_by().values_list("user", "room"))
    for key, room_id in pairs:
        PersonalState.objects.using(database()).filter(user=key, room=room_id).update(position=0)
    if pairs:
        rooms_topic().lists_changed(user_ids={users.id_of_key(key) for key, _ in pairs})


def has_untold() -> bool:
    """Whether changes are to be told."""
    return PersonalState.objects.using(database()).filter(position=0).exists()


def tell_changes() -> bool:
    """Give changed rows their positions and publish them, at most ROWS_PER_STEP. Returns whether there may be more.

    Rows of rooms that their person may not read are not told; they are when the person may again.
    """
    with transaction.atomic(using=database()):
        untold = PersonalState.objects.using(database()).filter(position=0).order_by("pk")
        if connections[database()].features.has_select_for_update_skip_locked:
            untold = untold.select_for_update(skip_locked=True, of=("self",))
        rows = list(untold.select_related("room")[:ROWS_PER_STEP])
        found = rows_by(Membership, room_id={row.room_id for row in rows}, user_id={row.user_id for row in rows})
        memberships = {(row.user_id, row.room_id): row for row in found}
        by_person: dict[Any, list[PersonalState]] = {}
        for row in rows:
            if access.is_in(row.room, memberships.get((row.user_id, row.room_id))):
                by_person.setdefault(row.user_id, []).append(row)
            else:
                row.position = 1  # Of no change that is still to come.
        topics = {key: person_topic(users.id_of_key(key)) for key in by_person}
        taken = next_positions({topics[key]: len(changed) for key, changed in by_person.items()})
        for key, changed in by_person.items():
            for row, position in zip(changed, taken[topics[key]], strict=True):
                row.position = position
            topics[key].publish_many([(row.position, event_of(row)) for row in changed])
        PersonalState.objects.using(database()).bulk_update(rows, ["position"])
    return len(rows) == ROWS_PER_STEP
