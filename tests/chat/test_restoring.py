"""The restore of one's own deleted message: its author, its text, its minute. On SQLite and on PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from chat import deletion, posting, restoring, services
from chat.erasing import forget_erased_texts
from chat.models import ErasedText, Message, Room
from chat.topics import RoomTopic
from hubbub.testing import connect, published
from tests.chat.test_services import code_of, in_threads
from tests.support.topic_page import in_thread

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.database]

BODY = "  Tea at *five*?\nBring é."


def write_and_delete(user: Any, slug: str = "attic", by: Any = None) -> Message:
    seq = posting.post_message(user_id=user.pk, slug=slug, client_id=uuid4(), body=BODY).seq
    services.delete_message(user_id=(by or user).pk, slug=slug, seq=seq)
    return Message.objects.get(room__slug=slug, seq=seq)


def restore(user: Any, message: Message, body: str = BODY) -> int:
    return restoring.restore_message(user_id=user.pk, slug=message.room.slug, seq=message.seq, body=body).position


def refusal(user: Any, message: Message, body: str = BODY) -> str:
    code = code_of(restore, user=user, message=message, body=body)
    message.refresh_from_db()
    assert message.body == ""
    return code


async def test_the_room_sees_the_message_as_it_was(alice: Any, bob: Any, attic: Room) -> None:
    async with connect(RoomTopic, "attic", user=alice) as page, connect(RoomTopic, "attic", user=bob) as other:
        await page.post(id=str(uuid4()), body="draft")
        await page.edit(seq=1, body=BODY)
        before = (await other.event("message.edited"))["message"]
        await page.delete(seq=1)
        assert await page.restore(seq=1, body=BODY) == {"position": 4}
        restored = await other.event("message.edited")
        assert (restored["position"], restored["message"]) == (4, before)
        assert before["edited_at"] is not None


def test_a_message_that_was_never_edited_is_not_after_a_restore(alice: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    assert (message.deleted_by, message.body, ErasedText.objects.count()) == ("author", "", 1)
    restore(alice, message)
    message.refresh_from_db()
    assert (message.body, message.deleted_at, message.edited_at, message.deleted_by) == (BODY, None, None, "")
    assert ErasedText.objects.count() == 0


def test_the_server_keeps_no_words(alice: Any, attic: Room) -> None:
    first, second = write_and_delete(alice), write_and_delete(alice)
    digests = list(ErasedText.objects.values_list("digest", flat=True))
    assert len({*digests}) == 2, "the hash is of this message's text alone"
    assert all(len(digest) == 64 for digest in digests)
    assert refusal(alice, second, first.body or "x") == "conflict"


@pytest.mark.parametrize(
    ("body", "code"),
    [("other", "conflict"), (BODY + ".", "conflict"), ("", "invalid"), ("x" * 4001, "too_long"), ("a\x00", "invalid")],
)
def test_another_text_is_refused_and_the_right_one_still_counts(alice: Any, attic: Room, body: str, code: str) -> None:
    message = write_and_delete(alice)
    assert refusal(alice, message, body) == code
    restore(alice, message)


def test_only_the_author_restores(alice: Any, bob: Any, mona: Any, charlie: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    assert [refusal(user, message) for user in (bob, mona, charlie)] == ["forbidden", "forbidden", "not_found"]


def test_what_a_moderator_or_staff_deleted_stays_deleted(alice: Any, mona: Any, attic: Room) -> None:
    message = write_and_delete(alice, by=mona)
    assert (message.deleted_by, refusal(alice, message), refusal(mona, message)) == (
        "moderator",
        "conflict",
        "forbidden",
    )
    seq = posting.post_message(user_id=alice.pk, slug="attic", client_id=uuid4(), body=BODY).seq
    message = Message.objects.get(room=attic, seq=seq)
    services.moderate_message(message_id=message.pk)
    assert refusal(alice, message) == "conflict"
    assert message.deleted_by == "staff"


@pytest.mark.parametrize("by_staff", [True, False])
def test_a_deletion_after_the_authors_ends_the_possibility(alice: Any, mona: Any, attic: Room, by_staff: bool) -> None:
    message = write_and_delete(alice)
    with published() as frames:
        if by_staff:
            services.moderate_message(message_id=message.pk)
        else:
            services.delete_message(user_id=mona.pk, slug="attic", seq=message.seq)
    assert frames == []
    assert ErasedText.objects.count() == 0
    assert refusal(alice, message) == "conflict"
    services.delete_message(user_id=alice.pk, slug="attic", seq=message.seq)
    assert refusal(alice, message) == "conflict", "a repeated deletion brings it not back"


def test_a_moderator_restores_an_own_message(mona: Any, attic: Room) -> None:
    message = write_and_delete(mona)
    assert message.deleted_by == "author"
    restore(mona, message)


def test_who_may_not_write_there_restores_nothing(alice: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    services.change_room(room_id=attic.pk, is_archived=True)
    assert refusal(alice, message) == "forbidden"
    services.change_room(room_id=attic.pk, is_archived=False)
    until = timezone.now() + timedelta(hours=1)
    services.set_membership(room_id=attic.pk, user_id=alice.pk, banned_until=until)
    assert refusal(alice, message) == "not_found"
    services.remove_membership(room_id=attic.pk, user_id=alice.pk)
    assert refusal(alice, message) == "not_found"
    services.set_membership(room_id=attic.pk, user_id=alice.pk)
    restore(alice, message)


def test_after_a_minute_it_is_too_late(alice: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    left = ErasedText.objects.get().expires_at - timezone.now()
    assert timedelta(seconds=55) < left <= timedelta(seconds=60)
    ErasedText.objects.update(expires_at=timezone.now() - timedelta(milliseconds=1))
    assert refusal(alice, message) == "conflict"


def test_only_what_is_expired_is_erased(alice: Any, attic: Room) -> None:
    first, second = write_and_delete(alice), write_and_delete(alice)
    ErasedText.objects.filter(message=first).update(expires_at=timezone.now())
    assert (restoring.forget_step(), restoring.forget_step()) == (1, 0)
    assert ErasedText.objects.get().message == second


async def test_the_service_erases_though_nobody_comes(alice: Any, attic: Room) -> None:
    await in_thread(write_and_delete)(alice)
    await ErasedText.objects.aupdate(expires_at=timezone.now())
    service = asyncio.create_task(forget_erased_texts())
    async with asyncio.timeout(5):
        while await ErasedText.objects.aexists():
            await asyncio.sleep(0.01)
    service.cancel()
    await asyncio.wait([service])
    assert service.cancelled()


def test_a_renewed_secret_key_still_knows_the_text(alice: Any, attic: Room, settings: Any) -> None:
    messages = [write_and_delete(alice) for _ in range(2)]
    settings.SECRET_KEY_FALLBACKS, settings.SECRET_KEY = [settings.SECRET_KEY], "new" * 20
    restore(alice, messages[0])
    settings.SECRET_KEY_FALLBACKS = []
    assert refusal(alice, messages[1]) == "conflict"


def test_two_restores_at_once_have_one_effect(alice: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    assert in_threads([lambda: restore(alice, message)] * 4) == [3] * 4
    attic.refresh_from_db()
    assert attic.position == 3
    assert code_of(restore, user=alice, message=message, body="other") == "conflict"


def test_a_restore_that_is_rolled_back_can_be_repeated(alice: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    with transaction.atomic():
        restore(alice, message)
        transaction.set_rollback(True)
    restore(alice, message)


def test_an_account_that_goes_leaves_no_hash(alice: Any, mona: Any, attic: Room) -> None:
    message = write_and_delete(alice)
    deletion.disown_messages(user_id=str(alice.pk))
    assert ErasedText.objects.count() == 0
    message = write_and_delete(mona)
    mona.delete()
    message.refresh_from_db()
    assert code_of(restore, user=mona, message=message) == "not_found"
