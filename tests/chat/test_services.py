"""Services: permission, saved rows, positions. On SQLite and on PostgreSQL."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import IntegrityError, connection, connections, transaction
from django.utils import timezone

from chat import posting, services
from chat.models import Membership, Message, Room
from hubbub.protocol import Refused
from tests.support.joins import join

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


def post(user: Any, room: Room, body: str = "hello", client_id: UUID | None = None) -> Any:
    return posting.post_message(user_id=user.pk, slug=room.slug, client_id=client_id or uuid4(), body=body)


def code_of(call: Callable[..., Any], **kwargs: Any) -> str:
    with pytest.raises(Refused) as caught:
        call(**kwargs)
    return caught.value.code


def in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    """All calls at the same moment, each in a thread with its own connection."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            start.wait(timeout=10)
            return call()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


# Posting


def test_a_post_takes_the_next_seq_and_position(alice: Any, bob: Any, lounge: Room) -> None:
    first, second = post(alice, lounge), post(bob, lounge)
    assert (first.seq, first.position) == (1, 1)
    assert (second.seq, second.position) == (2, 2)
    lounge.refresh_from_db()
    assert (lounge.last_seq, lounge.position) == (2, 2)


def test_the_same_id_is_always_one_message_with_one_answer(alice: Any, lounge: Room) -> None:
    client_id = uuid4()
    first = post(alice, lounge, "first words", client_id)
    services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="edited")
    again = post(alice, lounge, "other words", client_id)
    assert (again.seq, again.position, again.at) == (first.seq, first.position, first.at)
    assert Message.objects.get(room=lounge).body == "edited"


def test_a_repeated_post_is_answered_even_when_a_new_one_would_be_refused(alice: Any, lounge: Room) -> None:
    client_id = uuid4()
    first = post(alice, lounge, client_id=client_id)
    services.change_room(room_id=lounge.pk, is_archived=True)
    assert post(alice, lounge, "", client_id).seq == first.seq
    assert code_of(post, user=alice, room=lounge) == "forbidden"


def test_the_same_id_of_two_users_or_in_two_rooms_is_two_messages(alice: Any, bob: Any, lounge: Room) -> None:
    client_id, other = uuid4(), services.create_room(slug="other", title="Other")
    post(alice, lounge, client_id=client_id)
    post(bob, lounge, client_id=client_id)
    post(alice, other, client_id=client_id)
    assert Message.objects.count() == 3


def test_positions_have_no_hole_under_concurrent_posts(alice: Any, bob: Any, lounge: Room) -> None:
    answers = in_threads([lambda user=user: post(user, lounge) for user in (alice, bob) for _ in range(10)])
    assert sorted(answer.position for answer in answers) == list(range(1, 21))
    assert sorted(answer.seq for answer in answers) == list(range(1, 21))
    lounge.refresh_from_db()
    assert (lounge.position, lounge.last_seq) == (20, 20)


def test_one_id_posted_twice_at_the_same_moment_is_one_message(alice: Any, lounge: Room) -> None:
    client_id = uuid4()
    answers = in_threads([lambda: post(alice, lounge, client_id=client_id)] * 8)
    assert Counter((answer.seq, answer.position) for answer in answers) == {(1, 1): 8}
    assert Message.objects.count() == 1


@pytest.mark.parametrize(
    ("body", "code"),
    [("", "invalid"), (" \n\t ", "invalid"), ("a\x00b", "invalid"), ("x" * 4001, "too_long"), ("é" * 4001, "too_long")],
)
def test_a_body_that_cannot_be_kept_is_refused_and_takes_no_position(
    alice: Any, lounge: Room, body: str, code: str
) -> None:
    assert code_of(post, user=alice, room=lounge, body=body) == code
    lounge.refresh_from_db()
    assert lounge.position == 0


def test_length_counts_code_points_after_nfc(alice: Any, lounge: Room) -> None:
    post(alice, lounge, "e\u0301" * 4000)
    assert Message.objects.get().body == "\u00e9" * 4000


# Permission


def test_an_outsider_neither_posts_to_a_private_room_nor_learns_that_it_exists(
    alice: Any, charlie: Any, root: Any, attic: Room
) -> None:
    assert post(alice, attic).seq == 1
    for outsider in (charlie, root):
        # Root knows of it, by a permission to read.
        expected = "forbidden" if outsider is root else "not_found"
        assert code_of(post, user=outsider, room=attic) == expected
    missing = code_of(posting.post_message, user_id=alice.pk, slug="nowhere", client_id=uuid4(), body="x")
    assert missing == "not_found"


def test_a_banned_user_does_not_find_the_room_until_the_ban_ends(alice: Any, lounge: Room, attic: Room) -> None:
    for room in (lounge, attic):
        services.set_membership(room_id=room.pk, user_id=alice.pk, banned_until=timezone.now() + timedelta(hours=1))
        assert code_of(post, user=alice, room=room) == "not_found"
        services.set_membership(room_id=room.pk, user_id=alice.pk, banned_until=timezone.now() - timedelta(seconds=1))
        assert post(alice, room).seq == 1


def test_only_the_author_edits_and_only_author_or_moderator_deletes(
    alice: Any, bob: Any, mona: Any, attic: Room
) -> None:
    post(alice, attic)
    for other in (bob, mona):
        refused = code_of(services.edit_message, user_id=other.pk, slug="attic", seq=1, body="x")
        assert refused == "forbidden"
    assert code_of(services.delete_message, user_id=bob.pk, slug="attic", seq=1) == "forbidden"
    assert services.delete_message(user_id=mona.pk, slug="attic", seq=1).position == 2


def test_an_archived_room_is_read_only(alice: Any, lounge: Room) -> None:
    post(alice, lounge)
    services.change_room(room_id=lounge.pk, is_archived=True)
    assert code_of(post, user=alice, room=lounge) == "forbidden"
    assert code_of(services.edit_message, user_id=alice.pk, slug="lounge", seq=1, body="x") == "forbidden"
    assert code_of(services.delete_message, user_id=alice.pk, slug="lounge", seq=1) == "forbidden"


# Editing and deleting


def test_an_edit_takes_a_position_and_the_same_body_does_not(alice: Any, lounge: Room) -> None:
    post(alice, lounge, "one")
    assert services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="two").position == 2
    assert services.edit_message(user_id=alice.pk, slug="lounge", seq=1, body="\ntwo\n").position == 2
    message = Message.objects.get()
    assert (message.posted_position, message.position, message.body) == (1, 2, "two")
    assert message.edited_at is not None


def test_a_deleted_message_keeps_its_place_and_not_its_words(alice: Any, lounge: Room) -> None:
    post(alice, lounge, "secret")
    assert services.delete_message(user_id=alice.pk, slug="lounge", seq=1).position == 2
    assert services.delete_message(user_id=alice.pk, slug="lounge", seq=1).position == 2
    assert code_of(services.edit_message, user_id=alice.pk, slug="lounge", seq=1, body="x") == "conflict"
    message = Message.objects.get()
    assert (message.seq, message.body) == (1, "")


def test_a_missing_message_is_not_found(alice: Any, lounge: Room) -> None:
    assert code_of(services.edit_message, user_id=alice.pk, slug="lounge", seq=7, body="x") == "not_found"
    assert code_of(services.delete_message, user_id=alice.pk, slug="lounge", seq=7) == "not_found"


def test_an_admin_empties_a_message_of_an_archived_room(alice: Any, lounge: Room) -> None:
    post(alice, lounge)
    services.change_room(room_id=lounge.pk, is_archived=True)
    services.moderate_message(message_id=Message.objects.get().pk)
    assert Message.objects.get().deleted_at is not None


# Rooms and members


def test_a_change_to_the_room_takes_a_position_only_if_something_changed(lounge: Room) -> None:
    assert services.change_room(room_id=lounge.pk, title="Lobby").position == 1
    room = services.change_room(room_id=lounge.pk, title="Lobby", description="")
    assert (room.position, room.changed_position) == (1, 1)


def test_a_room_is_validated(lounge: Room) -> None:
    for slug in ("", "UPPER", "two--hyphens", "-x", "ä", "x" * 51, "a b", "lounge", "new\n"):
        with pytest.raises(ValidationError):
            services.create_room(slug=slug, title="x")
    with pytest.raises(ValidationError):
        services.change_room(room_id=lounge.pk, title="")
    with pytest.raises(ValueError, match="slug"):
        services.change_room(room_id=lounge.pk, slug="other")
    lounge.refresh_from_db()
    assert (lounge.title, lounge.position) == ("Lounge", 0)


def test_a_rooms_names_are_normalized_and_cannot_deceive(lounge: Room) -> None:
    made = services.create_room(slug="cafe", title="Cafe\u0301", description="re\u0301sume\u0301")
    assert (made.title, made.description) == ("Café", "résumé")
    changed = services.change_room(room_id=lounge.pk, title="Cafe\u0301")
    assert changed.title == Room.objects.get(pk=lounge.pk).title == "Café"
    assert services.change_room(room_id=lounge.pk, title="Cafe\u0301").position == changed.position
    for deceit in ("a\u202egnp.exe", "a\0b", "two\nlines", "\u3164", "Lounge\u1160", "G\u0435neral", "\U0001f389"):
        for name in ("title", "description"):
            with pytest.raises(ValidationError) as caught:
                services.change_room(room_id=lounge.pk, **{name: deceit})
            assert name in caught.value.message_dict
        with pytest.raises(ValidationError):
            services.create_room(slug="other", title=deceit)


def test_a_room_of_before_the_rule_of_names_is_changed_and_keeps_its_title(lounge: Room) -> None:
    Room.objects.filter(pk=lounge.pk).update(title="G\u0435neral\u3164", description="\u3164")
    assert services.change_room(room_id=lounge.pk, is_archived=True).is_archived
    assert services.change_room(room_id=lounge.pk, description="Talk").title == "G\u0435neral\u3164"
    with pytest.raises(ValidationError):
        services.change_room(room_id=lounge.pk, title="G\u0435neral")


def test_a_deleted_user_leaves_their_messages(alice: Any, lounge: Room) -> None:
    post(alice, lounge, "still here")
    alice.delete()
    message = Message.objects.get()
    assert (message.author, message.body) == (None, "still here")


def test_membership_is_one_row_whatever_is_set(alice: Any, lounge: Room) -> None:
    services.set_membership(room_id=lounge.pk, user_id=alice.pk)
    services.set_membership(room_id=lounge.pk, user_id=alice.pk, role="moderator")
    assert Membership.objects.get().role == "moderator"
    with pytest.raises(ValidationError):
        services.set_membership(room_id=lounge.pk, user_id=alice.pk, role="king")
    services.remove_membership(room_id=lounge.pk, user_id=alice.pk)
    services.remove_membership(room_id=lounge.pk, user_id=alice.pk)
    assert not Membership.objects.exists()


def test_after_a_restored_backup_no_client_resumes_from_an_old_position(
    alice: Any, lounge: Room, attic: Room, capsys: pytest.CaptureFixture[str]
) -> None:
    post(alice, lounge)
    before = join(alice, lounge)
    rooms = Room.objects.count()
    call_command("renew_epochs")
    topics, of_rooms = capsys.readouterr().out.splitlines()
    assert topics.startswith("New epoch for topics: board, ")
    assert of_rooms == f"New epoch for {rooms} rooms."
    after = join(alice, lounge, after=before.position, epoch=before.epoch)
    assert not after.complete
    assert after.epoch != before.epoch
    assert len(set(Room.objects.values_list("epoch", flat=True))) == rooms


# Constraints of the database


@pytest.mark.parametrize("same", [{"seq": 1}, {"position": 1}, {"client_id": True}])
def test_the_database_refuses_a_second_message_in_one_place(alice: Any, lounge: Room, same: dict[str, Any]) -> None:
    post(alice, lounge)
    first = Message.objects.get()
    fields = {"seq": 2, "position": 2, "posted_position": 2, "client_id": uuid4(), "at": timezone.now()}
    fields |= {name: getattr(first, name) for name in same}
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.create(room=lounge, author=alice, body="x", **fields)


def test_the_database_refuses_words_in_a_deleted_message(alice: Any, lounge: Room) -> None:
    post(alice, lounge)
    with pytest.raises(IntegrityError), transaction.atomic():
        Message.objects.update(deleted_at=timezone.now())


def test_these_tests_run_where_writers_wait_for_each_other() -> None:
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.transaction_mode == "IMMEDIATE"
    else:
        assert connection.vendor == "postgresql"
