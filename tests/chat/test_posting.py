"""Posts in batches: each with its own answer and its own error, one transaction, one message per room."""

import threading
import time
import unicodedata
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from chat import posting, services
from chat.models import Message, Room
from hubbub.protocol import Refused
from hubbub.publish import process_sender
from hubbub.topics import marks
from tests.support.posts import outcome, post_all, post_by

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """(group, positions) of each publish."""
    seen: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(
        marks.publisher, "publish_in_order", lambda group, frames: seen.append((group, [at for at, _ in frames]))
    )
    return seen


def test_each_post_of_a_batch_has_its_own_outcome(
    alice: Any, bob: Any, charlie: Any, lounge: Room, attic: Room, published: Any
) -> None:
    repeated = uuid4()
    batch = [
        post_by(alice, lounge),
        post_by(charlie, attic),
        post_by(bob, attic),
        post_by(alice, lounge, "  "),
        post_by(alice, lounge, "once", repeated),
        post_by(alice, "nowhere", "x"),
        post_by(bob, lounge, "x" * 5000),
        post_by(alice, lounge, "again", repeated),
        post_by(bob, lounge),
    ]
    assert [outcome(result) for result in post_all(batch)] == [
        (1, 1),
        "not_found",
        (1, 1),
        "invalid",
        (2, 2),
        "not_found",
        "too_long",
        (2, 2),
        (3, 3),
    ]
    assert Message.objects.count() == 4
    assert sorted(published) == [("t:room/attic", [1]), ("t:room/lounge", [1, 2, 3])]


def test_a_post_under_a_deleted_account_does_not_fail_its_neighbours(
    alice: Any, bob: Any, lounge: Room, published: Any
) -> None:
    mine, gone = post_by(alice, lounge), post_by(bob, lounge)
    bob.delete()
    assert [outcome(result) for result in post_all([gone, mine])] == ["not_found", (1, 1)]
    assert published == [("t:room/lounge", [1])]


def test_no_posts_are_no_transaction(django_assert_num_queries: Any) -> None:
    """A batch of which all have waited too long."""
    with django_assert_num_queries(0):
        assert post_all([]) == []


def test_answers_to_one_id_are_equal_and_cannot_be_changed(alice: Any, lounge: Room) -> None:
    """Two commands may share one answer."""
    calls = [post_by(alice, lounge, "x", client_id := uuid4())] * 2
    posts = [posting.Post(call.user_id, "lounge", client_id, call.arguments.body) for call in calls]
    first, second = posting.post_messages(posts)
    assert first == second
    with pytest.raises(AttributeError):
        first.seq = 7  # type: ignore[misc, union-attr]
    assert [outcome(result) for result in post_all(calls)] == [(1, 1), (1, 1)]
    assert Message.objects.get().client_id == client_id


def test_a_batch_costs_the_same_queries_however_long(alice: Any, bob: Any, lounge: Room) -> None:
    counts = []
    for size in (2, 60):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            post_all([post_by(user, lounge) for user in (alice, bob) for _ in range(size // 2)])
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_one_broken_post_does_not_fail_its_neighbours(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch, published: Any
) -> None:
    insert = posting._insert

    def refuse_poison(messages: list[Message]) -> None:
        if any(message.body == "poison" for message in messages):
            raise IntegrityError("poison")
        insert(messages)

    monkeypatch.setattr(posting, "_insert", refuse_poison)
    batch = [post_by(alice, lounge, body) for body in ("one", "poison", "two")]
    assert [outcome(result) for result in post_all(batch)] == [(1, 1), "unavailable", (2, 2)]
    assert list(Message.objects.values_list("body", flat=True)) == ["one", "two"]
    assert published == [("t:room/lounge", [1]), ("t:room/lounge", [2])]


def test_a_database_that_goes_while_posts_are_tried_alone_is_asked_no_more(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(messages: list[Message]) -> None:
        tries.append(len(messages))
        raise IntegrityError("poison") if len(messages) > 1 else OperationalError("locked")

    monkeypatch.setattr(posting, "_insert", fail)
    results = post_all([post_by(alice, lounge) for _ in range(50)])
    assert [outcome(result) for result in results] == ["unavailable"] * 50
    assert tries == [50, 1]


def test_a_batch_that_the_database_is_away_for_is_not_tried_post_by_post(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(*_: Any, **__: Any) -> None:
        tries.append(1)
        raise OperationalError("locked")

    monkeypatch.setattr(posting, "_insert", fail)
    with pytest.raises(OperationalError):
        post_all([post_by(alice, lounge) for _ in range(50)])
    assert len(tries) == 1


def test_a_lone_post_that_fails_says_how(alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(posting, "_insert", fail)
    with pytest.raises(OperationalError):
        post_all([post_by(alice, lounge)])
    lounge.refresh_from_db()
    assert lounge.position == 0


def test_a_failure_after_the_commit_does_not_refuse_a_saved_post(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no publisher")

    monkeypatch.setattr(process_sender, "put", fail)
    assert [outcome(result) for result in post_all([post_by(alice, lounge)])] == [(1, 1)]


ENDLESS = "a" + "\u0300" * 4_000 + "\u0327" * 4_000


def test_endless_marks_are_refused_before_they_are_sorted(alice: Any, bob: Any, lounge: Room) -> None:
    began = time.monotonic()
    results = post_all([post_by(alice, lounge, ENDLESS) for _ in range(100)] + [post_by(bob, lounge, "hello")])
    assert [outcome(result) for result in results] == ["invalid"] * 100 + [(1, 1)]
    with pytest.raises(Refused, match="marks"):
        services.edit_message(user_id=bob.pk, slug=lounge.slug, seq=1, body=ENDLESS)
    assert time.monotonic() - began < 3  # A tenth of a second for each, they would take ten.


@pytest.mark.parametrize(
    "body",
    [
        "Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!͖̬̰̙̗̿̋ͥͥ̂ͣ̐́́͜͞",
        "בְּרֵאשִׁית בָּרָא אֱלֹהִים",
        "بِسْمِ ٱللَّهِ",
        "กำลังจะไปที่นั่น",
        "👩‍❤️‍💋‍👨" * 50,
        "!" * 500 + "😀" * 500,
    ],
)
def test_text_with_marks_as_people_write_it_is_taken(alice: Any, lounge: Room, body: str) -> None:
    assert outcome(post_all([post_by(alice, lounge, body)])[0]) == (1, 1)
    assert Message.objects.get().body == unicodedata.normalize("NFC", body)


def test_a_repeated_post_with_another_body_gets_the_same_answer(alice: Any, lounge: Room) -> None:
    post_all([post_by(alice, lounge, "x", client_id := uuid4())])
    assert outcome(post_all([post_by(alice, lounge, ENDLESS, client_id)])[0]) == (1, 1)


def test_a_locked_room_does_not_delay_another_room(alice: Any, lounge: Room, published: Any) -> None:
    """On PostgreSQL; SQLite has one lock for all rooms."""
    if connection.vendor != "postgresql":
        return
    garden = services.create_room(slug="garden", title="Garden")
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Room.objects.select_for_update().get(pk=lounge.pk)
            held.set()
            release.wait(30)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        batch = [post_by(alice, room, str(number)) for number, room in enumerate([lounge, garden, lounge, garden])]
        began = time.monotonic()
        results = post_all(batch)
        assert time.monotonic() - began < 3
        assert [outcome(result) for result in results] == ["unavailable", (1, 1), "unavailable", (2, 2)]
        assert published == [("t:room/garden", [1, 2])]
        with pytest.raises(OperationalError):
            post_all(batch[:1])
    finally:
        release.set()
        holder.join()
        connection.close()
    assert [outcome(result) for result in post_all(batch)] == [(1, 1), (1, 1), (2, 2), (2, 2)]
