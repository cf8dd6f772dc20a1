"""Posts of sockets share transactions: while another is written, at faults of the database, with revoked tokens."""

import asyncio
import threading
import time
from typing import Any

import pytest
from django.db import OperationalError, connection, transaction
from django.utils import timezone

from chat import access, posting, services
from chat.models import Message, Room
from hubbub import threads
from hubbub.auth.identity import Identity, identify_token
from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from hubbub.protocol import Refused
from hubbub.topics.batch_calls import Call
from hubbub.topics.batches import run_from_wire
from tests.support.posts import POST, outcome, post_all, post_by

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


async def send(call: Call) -> object:
    """Send a post as a socket does; cancel the task to give it up."""
    return outcome(await run_from_wire(call.topic, POST, call.arguments, Identity(call.user_id, "", permitted=True)))


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The identities of these posts have no session to be checked again."""
    monkeypatch.setattr(access, "revalidate", lambda identities, users: {identity: identity for identity in identities})


@pytest.mark.usefixtures("signed_in")
async def test_posts_during_a_batch_form_the_next_batch(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    release = threading.Event()
    save_posts = posting.save_posts

    def watched(posts: list[posting.Post]) -> Any:
        sizes.append(len(posts))
        release.wait(5)
        return save_posts(posts)

    monkeypatch.setattr(posting, "save_posts", watched)
    first = asyncio.create_task(send(post_by(alice, lounge)))
    while not sizes:
        await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(send(post_by(alice, lounge, str(number)))) for number in range(150)]
    await asyncio.sleep(0)
    release.set()
    answers = [await first, *[await other for other in waiting]]
    # In the order they came, a lone one at once, never more than a batch holds.
    assert answers == [(number, number) for number in range(1, 152)]
    assert sizes == [1, 100, 50]


@pytest.mark.usefixtures("signed_in")
async def test_a_post_that_was_given_up_before_its_turn_is_never_saved(alice: Any, lounge: Room) -> None:
    release = threading.Event()
    pool = threads.topic_writers()
    blocking = [asyncio.create_task(pool.run(release.wait, 10)) for _ in range(pool.threads)]
    await asyncio.sleep(0)
    begun = asyncio.create_task(send(post_by(alice, lounge, "in the writer's queue")))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(send(post_by(alice, lounge, "too late")))
    in_time = asyncio.create_task(send(post_by(alice, lounge, "in time")))
    await asyncio.sleep(0)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.wait([begun, waiting])
    release.set()
    await asyncio.gather(*blocking)
    assert await in_time == (1, 1)
    assert [body async for body in Message.objects.values_list("body", flat=True)] == ["in time"]


@pytest.mark.usefixtures("signed_in")
async def test_a_database_that_is_away_refuses_every_post_of_a_batch(
    alice: Any, lounge: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(posts: list[posting.Post]) -> Any:
        raise OperationalError("away")

    with monkeypatch.context() as broken:
        broken.setattr(posting, "save_posts", fail)
        results = await asyncio.gather(*(send(post_by(alice, lounge)) for _ in range(3)), return_exceptions=True)
    assert [isinstance(result, Refused) and result.code for result in results] == ["unavailable"] * 3
    assert await send(post_by(alice, lounge)) == (1, 1)


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
    threads.topic_writers.cache_clear()
    pool = threads.topic_writers()
    await pool.run(spoil)
    with pytest.raises(Refused) as caught:
        await pool.run(post_all, batch)
    assert caught.value.code == "unavailable"
    assert [problem in line for line in caplog.messages] == [True]
    saved = await pool.run(post_all, batch)
    assert ([outcome(message) for message in saved][-1], await Message.objects.acount()) == ((100, 100), 100)


def test_a_token_without_the_write_scope_writes_nothing(alice: Any, lounge: Room) -> None:
    token, text = create_token(user=alice, name="test", expires_at=None)
    by = identify_token(text, None)
    assert outcome(post_all([post_by(alice, lounge, by=by)])[0]) == (1, 1)
    AccessToken.objects.filter(pk=token.pk).update(scopes="chat.read monitor.read")
    assert outcome(post_all([post_by(alice, lounge, by=by)])[0]) == "unauthorized"
    with pytest.raises(Refused, match="signed out"):
        services.edit_message(user_id=alice.pk, slug=lounge.slug, seq=1, body="changed", by=by)
    assert [message.body for message in Message.objects.all()] == ["hello"]


@pytest.mark.parametrize("verb", [services.edit_message, services.delete_message])
def test_a_token_revoked_while_an_edit_waits_for_its_room_changes_nothing(alice: Any, lounge: Room, verb: Any) -> None:
    token, text = create_token(user=alice, name="test", expires_at=None)
    by = identify_token(text, None)
    post_all([post_by(alice, lounge, by=by)])
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
