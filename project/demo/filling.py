"""Fills an empty database with the demo's people, rooms and messages.

Rows are written as they would be after six weeks: services know no other time than now, and nobody can be listening
yet. The same seed gives the same content, counted back from `now`.
"""

import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Value
from django.db.models.functions import Concat

from chat.models import Membership, Message, PersonalState, Room
from hubbub.text import natural_key
from project.accounts.models import User
from project.accounts.pictures import set_picture
from project.demo import busy
from project.demo.people import ADMIN, NAMES, PEOPLE
from project.demo.portraits import portrait
from project.demo.rooms import BUSY, OWN, ROOMS, DemoRoom, Own
from project.demo.talk import TALK, Said

SEED = 18
# Marks the database as the demo's, and lets its people see the dashboard and open rooms.
GROUP = "People of the demo"
RIGHTS = ("monitor.view_dashboard", "chat.add_room")
NAMESPACE = uuid.UUID("5e8d1c0a-0d5e-4d5e-8d1c-0a0d5e4d5e8d")
SQL_BATCH = 200


class NotOurs(Exception):
    """The database has people or messages that the demo has not made; the text is for people."""


def prepare(now: datetime, seed: int = SEED) -> bool:
    """Fill an empty database; leave one that was filled before. Returns whether it was empty.

    Raises:
        NotOurs: for any other database, which stays as it is.
    """
    with transaction.atomic():
        if Group.objects.filter(name=GROUP).exists():
            return False
        if strangers := list(User.objects.order_by("pk").values_list("username", flat=True)[:3]):
            raise NotOurs(f"this database has people who are not of the demo: {', '.join(strangers)}")
        if Message.objects.exists():
            raise NotOurs("this database has messages that are not of the demo")
        fill(now, seed)
    return True


def fill(now: datetime, seed: int = SEED) -> None:
    """Write all rows. Call it in a transaction, on a migrated database without people."""
    people = _make_people(now)
    rooms = _make_rooms(now)
    for room in ROOMS:
        said = busy.history(seed) if room.slug == BUSY else TALK.get(room.slug, [])
        _write(rooms[room.slug], said, people, now, seed)
    fields = ["title", "description", "is_private", "is_archived", "created_at", "sort_key", "position", "last_seq"]
    Room.objects.bulk_update(rooms.values(), fields)
    _make_members(rooms, people)
    _make_states(rooms, people)


def set_passwords(password: str) -> None:
    """Let the demo's people sign in with this password. Browsers stay signed in if it is the same as before."""
    people = User.objects.filter(groups__name=GROUP)
    stored = set(people.values_list("password", flat=True))
    if len(stored) != 1 or not check_password(password, stored.pop()):
        people.update(password=make_password(password))


def _make_people(now: datetime) -> dict[str, User]:
    # In bulk, here and below: no signal is sent, since no server listens yet.
    [group] = Group.objects.bulk_create([Group(name=GROUP)])
    rights = Permission.objects.annotate(name_of=Concat("content_type__app_label", Value("."), "codename"))
    granted = Group.permissions.through
    granted.objects.bulk_create(
        [granted(group=group, permission=right) for right in rights.filter(name_of__in=RIGHTS).order_by("pk")]
    )
    users = []
    for number, person in enumerate(PEOPLE):
        user = User(
            username=person.name,
            shown_name=person.shown,
            shown_status=person.status,
            date_joined=now - timedelta(days=200 - 3 * number),
            is_staff=person.name == ADMIN,
            is_superuser=person.name == ADMIN,
        )
        user.set_unusable_password()
        user.full_clean()
        users.append(user)
    User.objects.bulk_create(users)
    for user, person in zip(users, PEOPLE, strict=True):
        set_picture(user, portrait(person.picture) if person.picture else None)
    User.objects.bulk_update(users, ["shown_picture"])
    member = User.groups.through
    member.objects.bulk_create([member(user=user, group=group) for user in users])
    return {user.username: user for user in users}


def _make_rooms(now: datetime) -> dict[str, Room]:
    existing = {room.slug: room for room in Room.objects.all()}  # Migrations make two.
    rooms = {room.slug: existing.get(room.slug) or Room(slug=room.slug) for room in ROOMS}
    for number, room in enumerate(sorted(ROOMS, key=lambda room: natural_key(room.title))):
        made = rooms[room.slug]
        made.title, made.description = room.title, room.description
        made.is_private, made.is_archived = room.private, room.archived
        made.full_clean()
        made.created_at = now - timedelta(days=120 - 4 * number, minutes=37 * number)
    dates = {made.slug: made.created_at for made in rooms.values()}
    Room.objects.bulk_create([made for made in rooms.values() if made.pk is None])
    for made in rooms.values():
        made.created_at = dates[made.slug]  # Creation sets it to the present.
    return rooms


def _write(room: Room, said: Sequence[Said], people: Mapping[str, User], now: datetime, seed: int) -> None:
    """The messages of a room: each takes a position, and changes of some take further ones."""
    messages = []
    for seq, line in enumerate(said, 1):
        position = posted = room.take_position()
        at = now - timedelta(minutes=line.ago)
        edited_at = at + timedelta(minutes=1) if line.edited else None
        deleted_at = at + timedelta(minutes=2) if line.deleted_by else None
        if line.edited or line.deleted_by:
            position = room.take_position()
        messages.append(
            Message(
                room=room,
                seq=seq,
                author=people[line.by],
                client_id=uuid.uuid5(NAMESPACE, f"{seed} {room.slug} {seq}"),
                body="" if line.deleted_by else line.text,
                at=at,
                edited_at=edited_at,
                deleted_at=deleted_at,
                deleted_by=line.deleted_by,
                posted_position=posted,
                position=position,
            )
        )
    Message.objects.bulk_create(messages, batch_size=SQL_BATCH)
    room.last_seq = len(messages)


def _make_members(rooms: Mapping[str, Room], people: Mapping[str, User]) -> None:
    rows = []
    for room in ROOMS:
        roles = dict.fromkeys(room.members if room.private else (), Membership.Role.MEMBER)
        roles |= dict.fromkeys(room.moderators, Membership.Role.MODERATOR)
        rows += [Membership(room=rooms[room.slug], user=people[name], role=role) for name, role in roles.items()]
    Membership.objects.bulk_create(rows)


def _make_states(rooms: Mapping[str, Room], people: Mapping[str, User]) -> None:
    """How far each person has read. Without a row a room would count as never entered."""
    rows = []
    for room in ROOMS:
        last = rooms[room.slug].last_seq
        for name in _readers(room):
            own = OWN.get(name, {}).get(room.slug, Own())
            rows.append(
                PersonalState(
                    user=people[name],
                    room=rooms[room.slug],
                    read_seq=max(0, last - own.unread),
                    is_favourite=own.favourite,
                    is_muted=own.muted,
                    has_left=own.left,
                )
            )
    PersonalState.objects.bulk_create(rows, batch_size=SQL_BATCH)


def _readers(room: DemoRoom) -> Sequence[str]:
    return sorted({*room.moderators, *room.members}) if room.private else NAMES


def content() -> dict[str, Any]:
    """What a fill has written, without times and keys: for comparisons."""
    messages = Message.objects.order_by("room__slug", "seq")
    return {
        "people": list(User.objects.order_by("username").values_list("username", "shown_name", "shown_picture")),
        "rooms": list(Room.objects.order_by("slug").values_list("slug", "title", "last_seq", "position")),
        "messages": list(messages.values_list("room__slug", "seq", "author__username", "body", "client_id")),
        "states": list(PersonalState.objects.order_by("user", "room").values_list("read_seq", "is_muted")),
    }
