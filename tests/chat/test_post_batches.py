"""The batch writer: posts gather while a batch is written; faults of the database; revoked tokens."""

import asyncio
import threading
import time
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat import post_batcher, posting, services
from chat.models import Message, Room
from chat.posting import Post, post_messages
from hubbub import threads
from hubbub.auth.identity import identify_token
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from hubbub.protocol import Refused
from tests.support.posts import outcome, post_by

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


async def test_posts_during_a_batch_form_the_next_batch(
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
    waiting = [asyncio.create_task(batcher.post(post_by(alice, lounge, str(number)))) for number in range(150)]
    await asyncio.sleep(0)
    release.set()
    answers = [await first, *[await other for other in waiting]]
    # In the order they came, a lone one at once, never more than a batch holds.
    assert [answer.position for answer in answers] == list(range(1, 152))
    assert sizes == [1, 100, 50]


async def test_a_post_that_was_given_up_before_its_turn_is_never_saved(alice: Any, lounge: Room) -> None:
    release = threading.Event()
    blocking = asyncio.create_task(threads.write(release.wait, 10))
    batcher = post_batcher.PostBatcher()
    begun = asyncio.create_task(batcher.post(post_by(alice, lounge, "in the writer's queue")))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(batcher.post(post_by(alice, lounge, "too late")))
    in_time = asyncio.create_task(batcher.post(post_by(alice, lounge, "in time")))
    await asyncio.sleep(0)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.wait([begun, waiting])
    release.set()
    await blocking
    assert (await in_time).position == 1
    assert [body async for body in Message.objects.values_list("body", flat=True)] == ["in time"]


async def test_a_database_that_is_away_refuses_every_post_of_a_batch(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(posts: list[Post]) -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(posting, "post_messages", fail)
    batcher = post_batcher.PostBatcher()
    results = await asyncio.gather(*(batcher.post(post_by(alice, lounge)) for _ in range(3)), return_exceptions=True)
    assert [isinstance(result, Refused) and result.code for result in results] == ["unavailable"] * 3
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
    assert ([outcome(message) for message in saved][-1], await Message.objects.acount()) == ((100, 100), 100)


def test_a_token_without_the_write_scope_writes_nothing(alice: Any, lounge: Room) -> None:
    token, text = create_token(user=alice, name="test", expires_at=None)
    by = identify_token(text, None)
    post = Post(alice.pk, lounge.slug, uuid4(), "hello", by)
    assert outcome(post_messages([post])[0]) == (1, 1)
    AccessToken.objects.filter(pk=token.pk).update(scopes="chat.read monitor.read")
    assert outcome(post_messages([Post(alice.pk, lounge.slug, uuid4(), "hello", by)])[0]) == "unauthorized"
    with pytest.raises(Refused, match="signed out"):
        services.edit_message(user_id=alice.pk, slug=lounge.slug, seq=1, body="changed", by=by)
    assert [message.body for message in Message.objects.all()] == ["hello"]


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
    assert [message.body for message in Message.objects.all()] == ["hello"]


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
