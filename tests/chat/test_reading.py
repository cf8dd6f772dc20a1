"""Read positions: what raises and lowers them, who is told, and what a room that one lost says."""

from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, InterfaceError, connection, transaction
from django.test.utils import CaptureQueriesContext

from chat import access, background, deletion, posting, read_signals, reading, services, telling
from chat.models import Message, PersonalState, Room
from chat.protocol import OwnState, ReadState
from hubbub import Refused

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def no_entries() -> None:
    read_signals.take_entries()


def post(user: Any, room: Room, count: int = 1) -> int:
    results = posting.post_messages([posting.Post(str(user.pk), room.slug, uuid4(), "Tea") for _ in range(count)])
    return max(result.seq for result in results if not isinstance(result, Refused))


def enter(user: Any, room: Room) -> tuple[int, int]:
    """Enter as a join does, and save the entry as the background does."""
    found, role = access.enter_room(str(user.pk), room.slug)
    read = read_signals.entered(str(user.pk), found, role)
    background.work()
    return read


def change(function: Any, user: Any, room: Room | str, seq: int, version: int | None = None) -> Any:
    slug = room if isinstance(room, str) else room.slug
    with transaction.atomic():
        [result] = function([reading.Report(str(user.pk), slug, seq, version)])
    return result


def read(user: Any, room: Room | str, seq: int, version: int = 0) -> Any:
    return change(reading.mark_read, user, room, seq, version)


def unread(user: Any, room: Room | str, seq: int) -> Any:
    return change(reading.mark_unread, user, room, seq)


def stored(user: Any, room: Room) -> tuple[int, int]:
    row = PersonalState.objects.get(user=user, room=room)
    return row.read_seq, row.read_version


def test_a_room_that_is_entered_first_is_read_up_to_then(alice: Any, bob: Any, lounge: Room) -> None:
    post(bob, lounge, 3)
    assert reading.unread_of(str(alice.pk)) == {}
    assert enter(alice, lounge) == (3, 0)
    post(bob, lounge, 2)
    assert reading.unread_of(str(alice.pk)) == {lounge.pk: 2}
    assert enter(alice, lounge) == (3, 0)


def test_a_join_takes_one_query_for_room_role_and_read_position(alice: Any, lounge: Room) -> None:
    for _ in range(2):
        with CaptureQueriesContext(connection) as captured:
            found, role = access.enter_room(str(alice.pk), lounge.slug)
            read_signals.entered(str(alice.pk), found, role)
        assert len(captured) == 1
        background.work()


def test_first_entries_are_saved_together(alice: Any, bob: Any, lounge: Room, attic: Room) -> None:
    for user in (alice, bob):
        for room in (lounge, attic):
            found, role = access.enter_room(str(user.pk), room.slug)
            read_signals.entered(str(user.pk), found, role)
    assert not PersonalState.objects.exists()
    bob.delete()
    with CaptureQueriesContext(connection) as captured:
        telling.save_entries()
    assert sum(query["sql"].startswith("INSERT") for query in captured.captured_queries) == 1
    assert {row.user_id for row in PersonalState.objects.all()} == {alice.pk}


def test_reading_raises_only_and_never_beyond_the_end(alice: Any, bob: Any, lounge: Room) -> None:
    enter(alice, lounge)
    post(bob, lounge, 5)
    assert read(alice, lounge, 3) == ReadState(seq=3, version=0)
    assert read(alice, lounge, 2) == ReadState(seq=3, version=0)
    assert read(alice, lounge, 2**62) == ReadState(seq=5, version=0)
    assert reading.unread_of(str(alice.pk)) == {}


def test_a_late_read_of_another_tab_does_not_undo_mark_unread(alice: Any, bob: Any, lounge: Room) -> None:
    enter(alice, lounge)
    post(bob, lounge, 5)
    assert read(alice, lounge, 5) == ReadState(seq=5, version=0)
    assert unread(alice, lounge, 4) == ReadState(seq=3, version=1)
    assert read(alice, lounge, 5) == ReadState(seq=3, version=1)
    assert read(alice, lounge, 5, version=7) == ReadState(seq=3, version=1)
    assert reading.unread_of(str(alice.pk)) == {lounge.pk: 2}
    assert read(alice, lounge, 5, version=1) == ReadState(seq=5, version=1)
    assert unread(alice, lounge, 0) == ReadState(seq=0, version=2)


def test_mark_unread_only_lowers_and_counts_where_nothing_falls(alice: Any, bob: Any, lounge: Room) -> None:
    enter(alice, lounge)
    post(bob, lounge, 5)
    read(alice, lounge, 2)
    assert unread(alice, lounge, 9) == ReadState(seq=2, version=1)
    assert read(alice, lounge, 5) == ReadState(seq=2, version=1)


def test_reports_of_many_share_a_batch_and_its_queries(alice: Any, bob: Any, lounge: Room, attic: Room) -> None:
    def reports(seq: int, *rooms: Room) -> int:
        with CaptureQueriesContext(connection) as captured, transaction.atomic():
            results = reading.mark_read(
                [reading.Report(str(user.pk), room.slug, seq, 0) for user in (alice, bob) for room in rooms]
            )
        assert [result.seq for result in results] == [seq] * 2 * len(rooms)
        return len(captured)

    for user in (alice, bob):
        for room in (lounge, attic):
            enter(user, room)
            unread(user, room, 1)
    PersonalState.objects.update(read_version=0)
    Room.objects.update(last_seq=9)
    assert reports(4, lounge) == reports(5, lounge, attic)


def test_an_own_post_is_read_if_all_before_it_was(alice: Any, bob: Any, lounge: Room) -> None:
    enter(alice, lounge)
    enter(bob, lounge)
    post(alice, lounge, 2)
    assert stored(alice, lounge) == (2, 0)
    assert stored(bob, lounge) == (0, 0)
    post(bob, lounge)
    post(alice, lounge)
    assert stored(alice, lounge) == (2, 0)
    assert stored(bob, lounge) == (0, 0)


def test_posts_of_several_in_one_batch_raise_the_first_author_only(
    alice: Any, bob: Any, lounge: Room, attic: Room
) -> None:
    for user in (alice, bob):
        for room in (lounge, attic):
            enter(user, room)
    wanted = [(alice, lounge), (alice, lounge), (bob, lounge), (alice, lounge), (bob, attic), (alice, attic)]

    def post_all() -> int:
        with CaptureQueriesContext(connection) as captured:
            posting.post_messages([posting.Post(str(user.pk), room.slug, uuid4(), "Tea") for user, room in wanted])
        return sum("personalstate" in query["sql"] for query in captured.captured_queries)

    assert post_all() == 1
    assert (stored(alice, lounge), stored(bob, lounge)) == ((2, 0), (0, 0))
    assert (stored(alice, attic), stored(bob, attic)) == ((0, 0), (1, 0))


def test_a_deletion_and_a_purge_leave_unread_as_it_is(alice: Any, bob: Any, lounge: Room) -> None:
    enter(alice, lounge)
    post(bob, lounge, 5)
    read(alice, lounge, 2)
    services.delete_message(user_id=str(bob.pk), slug="lounge", seq=4)
    assert reading.unread_of(str(alice.pk)) == {lounge.pk: 3}
    Message.objects.filter(room=lounge).delete()  # As the steps of a purge do.
    assert reading.unread_of(str(alice.pk)) == {lounge.pk: 3}
    deletion.delete_room(room_id=lounge.pk)
    assert reading.unread_of(str(alice.pk)) == {}
    assert read(alice, lounge, 5).code == "not_found"


def test_unread_is_never_negative(alice: Any, lounge: Room) -> None:
    PersonalState.objects.create(user=alice, room=lounge, read_seq=7)
    assert reading.unread_of(str(alice.pk)) == {}


def test_a_lost_room_is_not_found_and_comes_back_as_it_was(alice: Any, bob: Any, attic: Room) -> None:
    enter(alice, attic)
    post(bob, attic, 4)
    read(alice, attic, 3)
    reading.prefer(str(alice.pk), "attic", favourite=True)
    background.work()
    services.remove_membership(room_id=attic.pk, user_id=str(alice.pk))
    for refused in (read(alice, attic, 4), unread(alice, attic, 1), read(alice, "no-such-room", 1)):
        assert (refused.code, refused.detail) == ("not_found", "room not found")
    with pytest.raises(Refused, match="room not found"):
        reading.prefer(str(alice.pk), "attic", muted=True)
    assert reading.states_of(str(alice.pk)) == {}
    background.work()
    told = reading.changes_of(str(alice.pk), 0, 100)
    assert told == []
    services.set_membership(room_id=attic.pk, user_id=str(alice.pk))
    background.work()
    assert reading.states_of(str(alice.pk)) == {"attic": OwnState(read_seq=3, favourite=True)}
    [(_, event)] = reading.changes_of(str(alice.pk), 0, 100)
    assert (event.room, event.read_seq, event.favourite) == ("attic", 3, True)


@pytest.mark.slow
def test_no_query_count_grows_with_rooms(alice: Any) -> None:
    def queries(count: int) -> list[int]:
        known = Room.objects.count()
        rooms = Room.objects.bulk_create(Room(slug=f"r-{n}", title=f"R {n}", last_seq=9) for n in range(known, count))
        PersonalState.objects.bulk_create(PersonalState(user=alice, room=room, read_seq=4) for room in rooms)
        counts = []
        for call, length in (
            (lambda: reading.unread_of(str(alice.pk)), count),
            (lambda: reading.states_of(str(alice.pk)), count),
        ):
            with CaptureQueriesContext(connection) as captured:
                assert len(call()) == length
            counts.append(len(captured))
        return counts

    Room.objects.all().delete()
    assert queries(5) == queries(500) == [1, 1]


def test_a_report_that_counts_no_more_does_not_win_in_one_batch_with_one_that_does(alice: Any, lounge: Room) -> None:
    post(alice, lounge, 60)
    PersonalState.objects.create(user=alice, room=lounge, read_seq=10, read_version=1)
    stale, valid = (reading.Report(str(alice.pk), lounge.slug, seq, version) for seq, version in ((60, 0), (20, 1)))
    with transaction.atomic():
        reading.mark_read([stale, valid])
    assert stored(alice, lounge) == (20, 1)


def test_own_posts_right_after_a_first_entry_are_read(alice: Any, bob: Any, lounge: Room) -> None:
    post(bob, lounge, 3)
    found, role = access.enter_room(str(alice.pk), lounge.slug)
    assert read_signals.entered(str(alice.pk), found, role) == (3, 0)
    post(alice, lounge, 2)  # Before the background has saved the entry.
    post(bob, lounge)
    post(alice, lounge)
    background.work()
    assert stored(alice, lounge) == (5, 0)


@pytest.mark.parametrize("error", [DatabaseError, InterfaceError])
def test_entries_that_could_not_be_saved_are_all_kept(
    error: type[Exception], alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(500):
        read_signals.note_entry(alice.pk, lounge.pk + number, 3)

    def refuse(entries: Any) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(telling, "_save_entries", refuse)
        with pytest.raises(error):
            telling.save_entries()
    read_signals.note_again([(alice.pk, lounge.pk, 9)])  # A later entry: the first one counts.
    entries = read_signals.take_entries()
    assert len(entries) == 500
    assert entries[alice.pk, lounge.pk] == 3
