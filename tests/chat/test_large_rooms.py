"""A room of 100,000 messages answers as fast as a new one, and a user of 500 rooms as a user of five."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import access, history, posting, services
from chat.models import Membership, Message, Room
from chat.topics import RoomTopic
from hubbub import users

pytestmark = [pytest.mark.database, pytest.mark.slow]

MESSAGES = 100_000
ROUNDS = 15


def fill(room: Room, author: Any, count: int) -> Room:
    now = timezone.now()
    for start in range(0, count, 5_000):
        Message.objects.bulk_create(
            Message(room=room, seq=seq, author=author, body=f"Message {seq}", at=now, posted_position=seq, position=seq)
            for seq in range(start + 1, min(start + 5_000, count) + 1)
        )
    room.position = room.last_seq = count
    room.save(update_fields=["position", "last_seq"])
    return room


@pytest.fixture
def rooms(db: None, alice: Any) -> tuple[Room, Room]:
    """A room with two pages of messages, and a large one."""
    small = fill(Room.objects.create(slug="small", title="Small"), alice, 100)
    large = fill(Room.objects.create(slug="large", title="Large"), alice, MESSAGES)
    return small, large


def fastest(read: Callable[[], Any]) -> float:
    """The seconds of the fastest of several calls: others do not count, the machine may be busy."""
    times = []
    for _ in range(ROUNDS):
        before = time.perf_counter()
        read()
        times.append(time.perf_counter() - before)
    return min(times)


READS: dict[str, Callable[[Room, str], Any]] = {
    "opens": lambda room, user: history.latest_page(room, RoomTopic.page_bytes),
    "scrolls back": lambda room, user: page(room, user, before=room.last_seq - 50),
    "jumps to its middle": lambda room, user: page(room, user, around=room.last_seq // 2),
    "jumps to its start": lambda room, user: page(room, user, around=1),
    "reads on from its middle": lambda room, user: page(room, user, since=room.last_seq // 2),
    "resumes": lambda room, user: history.can_resume(room, room.position - 20) and history.changes(
        room, room.position - 20, 100
    ),
    "cannot resume from its start": lambda room, user: history.can_resume(room, 1),
    "shows its last words": lambda room, user: access.last_messages([room]),
    "is entered": lambda room, user: access.enter_room(user, room.slug),
}  # fmt: skip


def page(room: Room, user: str, **at: int) -> Any:
    return history.read_history(
        user_id=user, slug=room.slug, limit=50, **{"before": None, "since": None, "around": None, **at}
    )


def test_a_room_of_100_000_messages_is_as_fast_as_a_new_one(rooms: tuple[Room, Room], alice: Any) -> None:
    small, large = rooms
    user = users.id_of(alice)
    # A database that has counted its rows may choose other indexes. SQLite counts only if told to, PostgreSQL soon.
    is_counted_later = connection.vendor == "sqlite"
    found = slow_reads(small, large, user) if is_counted_later else {}
    slow = {("before", name): times for name, times in found.items()}
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    slow |= {("after", name): times for name, times in slow_reads(small, large, user).items()}
    assert slow == {}
    in_small, in_large = (
        fastest(lambda room=room: posting.post_message(user_id=user, slug=room.slug, client_id=uuid4(), body="New"))
        for room in rooms
    )
    assert in_large < 3 * in_small + 0.01


def slow_reads(small: Room, large: Room, user: str) -> dict[str, tuple[float, float]]:
    """The reads that take longer in the large room, with their seconds in both."""
    slow = {}
    for name, read in READS.items():
        in_small, in_large = fastest(lambda read=read: read(small, user)), fastest(lambda read=read: read(large, user))
        if in_large > 3 * in_small + 0.01:
            slow[name] = (in_small, in_large)
    return slow


def test_the_page_of_the_middle_is_the_middle(rooms: tuple[Room, Room], alice: Any) -> None:
    seqs = [message.seq for message in page(rooms[1], users.id_of(alice), around=50_000).messages]
    assert seqs == [*range(seqs[0], seqs[0] + len(seqs))]
    assert 50_000 in seqs
    assert len(seqs) == 50


@pytest.mark.parametrize("address", ["/", "/rooms/mine-0/"])
def test_the_queries_of_a_page_do_not_grow_with_rooms(
    db: None, alice: Any, client: Client, address: str, plain_static: None
) -> None:
    client.force_login(alice)

    def queries(count: int) -> int:
        for number in range(Membership.objects.filter(user=alice).count(), count):
            room = services.create_room(slug=f"mine-{number}", title=f"Mine {number}", is_private=True)
            services.set_membership(room_id=room.pk, user_id=users.id_of(alice))
            fill(room, alice, 2)
        with CaptureQueriesContext(connection) as captured:
            answer = client.get(address)
        assert answer.content.decode().count("/rooms/mine-") >= count
        return len(captured)

    queries(5)  # What is remembered for many pages.
    assert queries(5) == queries(500)
