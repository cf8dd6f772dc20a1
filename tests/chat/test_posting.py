"""Posts in batches: each with its own answer and its own error, one transaction, one publish per room."""

import asyncio
import threading
import time
import unicodedata
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chat import post_batcher, posting, services
from chat.models import Message, Room
from chat.posting import Post, post_messages
from chat.protocol import Posted
from hubbub import threads
from hubbub.auth.identity import identify_token
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from hubbub.protocol import Refused
from hubbub.publish import process_sender

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]


@pytest.fixture(autouse=True)
def ended_threads() -> Iterator[None]:
    yield
    threads.close()


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """(group, positions) of each publish."""
    seen: list[tuple[str, list[int]]] = []
    monkeypatch.setattr(
        posting, "publish_in_order", lambda group, frames: seen.append((group, [at for at, _ in frames]))
    )
    return seen


def post_by(user: Any, room: Room, body: str = "hello", client_id: Any = None) -> Post:
    return Post(user.pk, room.slug, client_id or uuid4(), body)


def outcome(result: Posted | Refused) -> object:
    return result.code if isinstance(result, Refused) else (result.seq, result.position)


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
        Post(alice.pk, "nowhere", uuid4(), "x"),
        post_by(bob, lounge, "x" * 5000),
        post_by(alice, lounge, "again", repeated),
        post_by(bob, lounge),
    ]
    assert [outcome(one) for one in post_messages(batch)] == [
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
    assert sorted(published) == [("room.attic", [1]), ("room.lounge", [1, 2, 3])]


def test_a_post_under_a_deleted_account_does_not_fail_its_neighbours(
    alice: Any, bob: Any, lounge: Room, published: Any
) -> None:
    mine, gone = post_by(alice, lounge), post_by(bob, lounge)
    bob.delete()
    assert [outcome(one) for one in post_messages([gone, mine])] == ["not_found", (1, 1)]
    assert published == [("room.lounge", [1])]


def test_no_posts_are_no_transaction(django_assert_num_queries: Any) -> None:
    """A batch of which all have waited too long."""
    with django_assert_num_queries(0):
        assert post_messages([]) == []


def test_answers_to_one_id_are_equal_and_cannot_be_changed(alice: Any, lounge: Room) -> None:
    """The consumer puts the command's ref on a copy: two commands may share one answer."""
    first, second = post_messages([post_by(alice, lounge, "x", client_id := uuid4())] * 2)
    assert first == second
    with pytest.raises(AttributeError):
        first.ref = 1  # type: ignore[misc, union-attr]
    assert Message.objects.get().client_id == client_id


def test_a_batch_costs_the_same_queries_however_long(alice: Any, bob: Any, lounge: Room) -> None:
    counts = []
    for size in (2, 60):
        with CaptureQueriesContext(
            connection,
        ) as queries:
            post_messages([post_by(user, lounge) for user in (alice, bob) for _ in range(size // 2)])
        counts.append(len(queries))
    assert counts[0] == counts[1]


def test_one_broken_post_does_not_fail_its_neighbours(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch, published: Any
) -> None:
    insert = posting._insert

    def refuse_poison(messages: list[Message]) -> None:
        if any(one.body == "poison" for one in messages):
            raise IntegrityError("poison")
        insert(messages)

    monkeypatch.setattr(posting, "_insert", refuse_poison)
    batch = [post_by(alice, lounge, body) for body in ("one", "poison", "two")]
    assert [outcome(one) for one in post_messages(batch)] == [(1, 1), "unavailable", (2, 2)]
    assert list(Message.objects.values_list("body", flat=True)) == ["one", "two"]
    assert published == [("room.lounge", [1]), ("room.lounge", [2])]


def test_a_database_that_goes_while_posts_are_tried_alone_is_asked_no_more(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = []

    def fail(messages: list[Message]) -> None:
        tries.append(len(messages))
        raise IntegrityError("poison") if len(messages) > 1 else OperationalError("locked")

    monkeypatch.setattr(posting, "_insert", fail)
    results = post_messages([post_by(alice, lounge) for _ in range(50)])
    assert [outcome(one) for one in results] == ["unavailable"] * 50
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
        post_messages([post_by(alice, lounge) for _ in range(50)])
    assert len(tries) == 1


def test_a_lone_post_that_fails_says_how(alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("away")

    monkeypatch.setattr(posting, "_insert", fail)
    with pytest.raises(OperationalError):
        post_messages([post_by(alice, lounge)])
    lounge.refresh_from_db()
    assert lounge.position == 0


def test_what_fails_after_the_commit_does_not_make_a_saved_post_look_refused(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no publisher")

    monkeypatch.setattr(process_sender, "put", fail)
    assert [outcome(one) for one in post_messages([post_by(alice, lounge)])] == [(1, 1)]


ENDLESS = "a" + "\u0300" * 4_000 + "\u0327" * 4_000


def test_endless_marks_are_refused_before_they_are_sorted_and_hold_nobody(alice: Any, bob: Any, lounge: Room) -> None:
    began = time.monotonic()
    results = post_messages([post_by(alice, lounge, ENDLESS) for _ in range(100)] + [post_by(bob, lounge, "hello")])
    assert [outcome(one) for one in results] == ["invalid"] * 100 + [(1, 1)]
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
    assert outcome(post_messages([post_by(alice, lounge, body)])[0]) == (1, 1)
    assert Message.objects.get().body == unicodedata.normalize("NFC", body)


def test_what_is_posted_again_is_answered_alike_whatever_its_new_body_is(alice: Any, lounge: Room) -> None:
    post_messages([post_by(alice, lounge, "x", client_id := uuid4())])
    assert outcome(post_messages([post_by(alice, lounge, ENDLESS, client_id)])[0]) == (1, 1)


def test_a_room_that_somebody_holds_keeps_nobody_out_of_another(alice: Any, lounge: Room, published: Any) -> None:
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
        results = post_messages(batch)
        assert time.monotonic() - began < 3
        assert [outcome(one) for one in results] == ["unavailable", (1, 1), "unavailable", (2, 2)]
        assert published == [("room.garden", [1, 2])]
        with pytest.raises(OperationalError):
            post_messages(batch[:1])
    finally:
        release.set()
        holder.join()
        connection.close()
    assert [outcome(one) for one in post_messages(batch)] == [(1, 1), (1, 1), (2, 2), (2, 2)]


# The writer


async def test_what_gathers_while_a_batch_is_written_is_the_next_batch(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    release = threading.Event()

    def watched(posts: list[Post]) -> Any:
        sizes.append(len(posts))
        release.wait(5)
        return post_messages(posts)

    monkeypatch.setattr(posting, "post_messages", watched)
    batcher = post_batcher.PostBatcher()
    first = asyncio.create_task(batcher.post(post_by(alice, lounge)))
    while not sizes:
        await asyncio.sleep(0.01)
    others = [asyncio.create_task(batcher.post(post_by(alice, lounge, str(number)))) for number in range(150)]
    await asyncio.sleep(0)
    release.set()
    answers = [await first, *[await one for one in others]]
    # In the order they came, a lone one at once, never more than a batch holds.
    assert [one.position for one in answers] == list(range(1, 152))
    assert sizes == [1, 100, 50]


async def test_a_post_that_was_given_up_before_its_turn_is_never_saved(alice: Any, lounge: Room) -> None:
    release = threading.Event()
    blocking = asyncio.create_task(threads.write(release.wait, 10))
    batcher = post_batcher.PostBatcher()
    begun = asyncio.create_task(batcher.post(post_by(alice, lounge, "in the writer's queue")))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(batcher.post(post_by(alice, lounge, "too late")))
    kept = asyncio.create_task(batcher.post(post_by(alice, lounge, "in time")))
    await asyncio.sleep(0)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.wait([begun, waiting])
    release.set()
    await blocking
    assert (await kept).position == 1
    assert [one async for one in Message.objects.values_list("body", flat=True)] == ["in time"]


async def test_a_database_that_is_away_refuses_every_post_of_a_batch(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(posts: list[Post]) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(posting, "post_messages", fail)
    batcher = post_batcher.PostBatcher()
    results = await asyncio.gather(*(batcher.post(post_by(alice, lounge)) for _ in range(3)), return_exceptions=True)
    assert [isinstance(one, Refused) and one.code for one in results] == ["unavailable"] * 3
    monkeypatch.undo()
    assert (await batcher.post(post_by(alice, lounge))).position == 1


@pytest.mark.parametrize(
    ("pragma", "problem"),
    [("max_page_count = 1", "full"), ("query_only = ON", "readonly")],
)
async def test_a_full_or_read_only_disk_refuses_posts_and_they_are_saved_when_tried_again(
    alice: Any, lounge: Room, pragma: str, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    if connection.vendor != "sqlite":
        return

    def spoil() -> None:
        """The writer's connection, as it would be refused by the disk; the one after it is well."""
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA {pragma}")

    # More than fits into pages that are free already.
    batch = [post_by(alice, lounge, "\U0001f642" * 4000) for _ in range(100)]
    threads._writer.cache_clear()
    await threads.write(spoil)
    with pytest.raises(Refused) as caught:
        await threads.write(post_messages, batch)
    assert caught.value.code == "unavailable"
    assert [problem in line for line in caplog.messages] == [True]
    saved = await threads.write(post_messages, batch)
    assert ([outcome(one) for one in saved][-1], await Message.objects.acount()) == ((100, 100), 100)


def test_a_token_that_may_not_write_any_more_writes_nothing_whoever_was_told(alice: Any, lounge: Room) -> None:
    token, text = create_token(user=alice, name="test", expires_at=None)
    by = identify_token(text, None)
    post = Post(alice.pk, lounge.slug, uuid4(), "hello", by)
    assert outcome(post_messages([post])[0]) == (1, 1)
    AccessToken.objects.filter(pk=token.pk).update(scopes="chat.read monitor.read")
    assert outcome(post_messages([Post(alice.pk, lounge.slug, uuid4(), "hello", by)])[0]) == "unauthorized"
    with pytest.raises(Refused, match="signed out"):
        services.edit_message(user_id=alice.pk, slug=lounge.slug, seq=1, body="changed", by=by)
    assert [one.body for one in Message.objects.all()] == ["hello"]


@pytest.mark.parametrize("verb", [services.edit_message, services.delete_message])
def test_a_token_revoked_while_an_edit_waits_for_its_room_changes_nothing(alice: Any, lounge: Room, verb: Any) -> None:
    token, text = create_token(user=alice, name="test", expires_at=None)
    by = identify_token(text, None)
    post_messages([Post(alice.pk, lounge.slug, uuid4(), "hello", by)])
    more = {"body": "changed"} if verb is services.edit_message else {}
    outcomes: list[object] = []

    def change() -> None:
        try:
            outcomes.append(verb(user_id=alice.pk, slug=lounge.slug, seq=1, by=by, **more))
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    thread = threading.Thread(target=change)
    with transaction.atomic():
        Room.objects.select_for_update().get(pk=lounge.pk)
        thread.start()
        until_somebody_waits_for_a_lock()
        AccessToken.objects.filter(pk=token.pk).update(revoked_at=timezone.now())
    thread.join(10)
    assert outcomes == ["unauthorized"]
    assert [one.body for one in Message.objects.all()] == ["hello"]


def until_somebody_waits_for_a_lock() -> None:
    """On SQLite nothing of a transaction that writes begins before it has the lock: there is nothing to wait for."""
    deadline = time.monotonic() + 5
    while connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
            if cursor.fetchone()[0]:
                return
        assert time.monotonic() < deadline
        time.sleep(0.01)
