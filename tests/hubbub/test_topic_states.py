"""States and changes of topics that are refused, fail, hang, or do not fit into a frame."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from typing import Any

import msgspec
import pytest
from asgiref.sync import sync_to_async
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction

from hubbub import threads
from hubbub.models import TopicPosition
from hubbub.protocol import ErrorCode, Refused
from hubbub.runtime import runtime
from hubbub.topics import log_reading, reading
from hubbub.topics.feed import StateFeed
from tests.support.hubs import until
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note
from tests.support.polls.topics import BoardTopic, ThermometerTopic
from tests.support.polls.trials import ShelfTopic
from tests.support.topic_page import Page, in_thread, opened
from tests.support.tunables import set_beyond_bounds

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))


@pytest.fixture(autouse=True)
def _own_logs() -> Iterator[None]:
    yield
    reading._too_long.clear()
    log_reading._too_long_changes.clear()


async def join_and_change(page: Page, topic: ShelfTopic, monkeypatch: pytest.MonkeyPatch, state: Any) -> None:
    await page.ask("join", topic=topic.address)
    monkeypatch.setattr(ShelfTopic, "state", state)
    await in_thread(topic.changed)()


async def test_a_state_that_is_refused_answers_the_join_and_closes_the_topic(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: ShelfTopic) -> Any:
        raise Refused(ErrorCode.CONFLICT, "the shelf is away")

    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        await join_and_change(page, ShelfTopic(1), monkeypatch, refuse)
        assert await page.next("closed") == {"type": "closed", "topic": "shelf/1", "code": "conflict"}
        answer = await other.ask("join", topic="shelf/1")
        assert (answer["code"], answer["detail"]) == ("conflict", "the shelf is away")
        monkeypatch.undo()
        for each in (page, other):
            assert (await each.ask("join", topic="shelf/1"))["state"] == []
        await in_thread(ShelfTopic(1).changed)()
        for each in (page, other):
            await each.next("changed")


async def test_a_log_that_refuses_its_changes_is_closed(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: BoardTopic, after: int, limit: int) -> Any:
        raise Refused(ErrorCode.NOT_FOUND, "there is no such board")

    def write_silently() -> None:
        with transaction.atomic():
            BoardTopic("plan").next_position()

    async with opened(alice) as page:
        joined = await page.ask("join", topic="board/plan")
        monkeypatch.setattr(BoardTopic, "changes", refuse)
        await in_thread(write_silently)()
        assert await page.next("closed") == {"type": "closed", "topic": "board/plan", "code": "not_found"}
        answer = await page.ask("join", topic="board/plan", after=0, epoch=joined["epoch"])
        assert (answer["code"], answer["detail"]) == ("not_found", "there is no such board")


async def test_a_state_that_fails_is_retried_and_logged_once(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    reads: list[int] = []

    def fail(self: ShelfTopic) -> Any:
        reads.append(1)
        if len(reads) < 4:
            raise ValueError("no such column")
        return ["whole again"]

    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        monkeypatch.setattr("hubbub.topics.feed.RETRY_SECONDS", 0.1)
        await join_and_change(page, ShelfTopic(1), monkeypatch, fail)
        assert (await page.next("changed"))["state"] == ["whole again"]
        assert caplog.text.count("topic shelf/1: reading the state failed: ValueError('no such column')") == 1
        reads.clear()
        assert (await other.ask("join", topic="shelf/2"))["code"] == "internal"
        assert (await other.ask("ping"))["type"] == "pong"
    assert "no such column" in caplog.text


async def test_a_state_that_hangs_is_unavailable_and_delays_no_other_topic(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(self: ShelfTopic) -> Any:
        assert release.wait(20)
        return ["late"]

    monkeypatch.setattr(threads, "ANSWER_SECONDS", 2.0)
    async with opened(alice, TrialConsumer) as page:
        with monkeypatch.context() as patched:
            patched.setattr(ShelfTopic, "state", hang)
            try:
                hanging = page.send_frame("join", topic="shelf/1")
                assert (await page.ask("join", topic="board/plan"))["type"] == "ok"
                answer = await page.next("error")
                assert (answer["ref"], answer["code"]) == (hanging, "unavailable")
            finally:
                release.set()
        async with asyncio.timeout(8):
            while (answer := await page.ask("join", topic="shelf/1"))["type"] != "ok":
                assert answer["code"] == "unavailable"
        await in_thread(ShelfTopic(1).changed)()
        assert (await page.next("changed"))["state"] == []


async def test_a_state_of_5_mb_is_too_long_and_logged_once(
    alice: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    async with opened(alice, TrialConsumer) as page:
        await join_and_change(page, ShelfTopic(1), monkeypatch, lambda self: ["x" * 5_000_000])
        assert (await page.next("closed"))["code"] == "too_long"
        for _ in range(3):
            answer = await page.ask("join", topic="shelf/1")
            assert (answer["code"], "5000004" in answer["detail"]) == ("too_long", True)
        lines = [record.getMessage() for record in caplog.records if "topic shelf/1" in record.getMessage()]
        assert lines == [
            f"topic shelf/1: the state does not fit into a frame: 5000004 bytes, more than {96 * 1024 - 2048}"
        ]
        monkeypatch.undo()
        assert (await page.ask("join", topic="shelf/1"))["type"] == "ok"
        monkeypatch.setattr(BoardTopic, "state", lambda self: "x" * 5_000_000)
        assert (await page.ask("join", topic="board/plan"))["code"] == "too_long"
        assert (await page.ask("ping"))["type"] == "pong"


async def test_names_and_viewer_take_no_more_than_the_room_beside_the_state(
    monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    limit = 5_000
    set_beyond_bounds(settings, sent_frame_bytes=limit)
    create = sync_to_async(get_user_model().objects.create_user)
    monkeypatch.setattr(BoardTopic, "viewer", lambda self, user: None)
    async with AsyncExitStack() as stack:
        pages = []
        for number in range(5):
            user = await create("\u4e00" * 149 + str(number))
            pages.append(await stack.enter_async_context(opened(user)))
            await pages[-1].ask("join", topic="board/names")
        page = pages[0]
        while (await page.next("presence.changed"))["count"] < 5:
            pass
        assert len((await page.ask("join", topic="board/names"))["present"]["users"]) == 5
        monkeypatch.setattr(BoardTopic, "state", lambda self: "x" * 2_900)
        log_reading._pages.clear()  # Kept for a second, unless there is a change.
        answer = await page.ask("join", topic="board/names")
        assert answer["present"] == {"count": 5, "users": []}
        assert len(msgspec.json.encode(answer)) < limit
        monkeypatch.setattr(BoardTopic, "viewer", lambda self, user: "y" * 100)
        answer = await page.ask("join", topic="board/names")
        assert (answer["code"], answer["detail"]) == (
            "too_long",
            "state and viewer of board/names have 3006 bytes, more than 2952",
        )


async def test_an_event_of_5_mb_is_refused_where_it_is_sent_and_changes_nothing(alice: Any, bob: Any) -> None:
    text = "x" * 5_000_000
    with pytest.raises(Refused, match=r"change 1 has [0-9]+ bytes, more than 96256") as refused:
        await in_thread(BoardTopic("plan").add)(alice, text)
    assert refused.value.code == "too_long"
    for send in (BoardTopic("plan").tell, lambda event: ThermometerTopic().publish(1, event)):
        with pytest.raises(Refused, match=r"an event has|change 1 has"):
            await in_thread(send)({"type": "noted", "text": text})
    assert await Note.objects.acount() == await TopicPosition.objects.acount() == 0
    async with opened(bob) as page:
        await page.ask("join", topic="board/plan")
        await in_thread(BoardTopic("plan").add)(alice, "y" * 96_000)
        assert (await page.next("noted"))["text"] == "y" * 96_000


async def test_a_stored_change_of_5_mb_is_logged_once_and_skipped_by_the_state(
    alice: Any, bob: Any, caplog: pytest.LogCaptureFixture
) -> None:
    def write_silently() -> None:
        with transaction.atomic():
            position = BoardTopic("plan").next_position()
            Note.objects.create(board="plan", position=position, text="x" * 5_000_000)

    caplog.set_level(logging.WARNING)
    async with opened(alice) as page, opened(bob) as other:
        joined = await page.ask("join", topic="board/plan")
        await in_thread(write_silently)()
        assert await page.next("closed") == {"type": "closed", "topic": "board/plan", "code": "too_long"}
        for each in (page, other):
            # A latest page with this change does not fit either.
            refused = await each.ask("join", topic="board/plan", after=0, epoch=joined["epoch"])
            assert refused["code"] == "too_long"
        for number in range(3):  # So many notes are in a latest page.
            await in_thread(BoardTopic("plan").add)(alice, f"{number}")
        for each in (page, other):
            answer = await each.ask("join", topic="board/plan", after=0, epoch=joined["epoch"])
            assert (answer["complete"], answer["position"]) == (False, 4)
            assert [note["text"] for note in answer["state"]] == ["0", "1", "2"]
        await in_thread(BoardTopic("plan").add)(alice, "more")
        for each in (page, other):
            assert (await each.next("noted"))["text"] == "more"
    lines = [record.getMessage() for record in caplog.records if "change 1" in record.getMessage()]
    assert lines == [
        "topic board/plan: change 1 has 5000026 bytes, more than 96256, clients that miss it get the state"
    ]


async def test_a_join_is_answered_when_the_last_member_is_evicted_meanwhile(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The group ends while the second join waits for a read of its own."""
    reads: list[threading.Event] = []
    read = ShelfTopic.state

    def slow(self: ShelfTopic) -> Any:
        reads.append(threading.Event())
        assert reads[-1].wait(20)
        if len(reads) == 1:
            raise Refused(ErrorCode.NOT_FOUND, "there is no such shelf")
        return read(self)

    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        await join_and_change(page, ShelfTopic(1), monkeypatch, slow)
        await until(lambda: bool(reads))
        ref = other.send_frame("join", topic="shelf/1")
        feed = runtime().hub.feed_of("t:shelf/1")
        assert isinstance(feed, StateFeed)
        await until(lambda: bool(feed._waiting))
        reads[0].set()
        assert (await page.next("closed"))["code"] == "not_found"
        answer = await other.next()
        for read_begun in reads:
            read_begun.set()
        assert (answer["ref"], answer["code"]) == (ref, "unavailable")
        monkeypatch.undo()
        assert (await other.ask("join", topic="shelf/1"))["type"] == "ok"
