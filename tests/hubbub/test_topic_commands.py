"""Commands of topics that have one effect, commands that are only told, and states that cannot be read."""

import asyncio
import logging
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from hubbub import threads
from hubbub.models import TopicOnce
from hubbub.protocol import ErrorCode, Refused
from hubbub.publish.group_names import layer_group
from hubbub.runtime import runtime
from hubbub.topics import reading
from hubbub.topics.feed import StateFeed
from tests.support.hubs import until
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note
from tests.support.polls.topics import BoardTopic
from tests.support.polls.trials import InboxTopic, ShelfTopic
from tests.support.together import meeting, run_together
from tests.support.topic_page import Page, in_thread, opened

pytestmark = [
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


def put(user: Any, text: str, client_id: str, key: int = 1) -> Any:
    return ShelfTopic(key).put(user, text, id=client_id)


# Once


def test_one_id_at_the_same_instant_has_one_effect_and_one_answer(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ShelfTopic, "between", staticmethod(meeting(0.2)))
    for number in range(5):
        results = run_together(*[lambda id=f"{number}": put(alice, "Tea", id)] * 3)
        assert results == [{"count": number + 1}] * 3
    assert Note.objects.count() == TopicOnce.objects.count() == 5


def test_an_attempt_that_was_rolled_back_is_not_kept(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("at the end")

    with monkeypatch.context() as patched:
        patched.setattr(ShelfTopic, "between", staticmethod(fail))
        with pytest.raises(RuntimeError):
            put(alice, "Tea", "a")
    with pytest.raises(Refused, match="not this text"):
        put(alice, "refused", "a")
    assert Note.objects.count() == TopicOnce.objects.count() == 0
    assert put(alice, "Tea", "a") == put(alice, "Tea", "a") == {"count": 1}


def test_an_id_belongs_to_one_command_and_its_arguments(alice: Any, bob: Any) -> None:
    put(alice, "Tea", "a")
    for call in (
        lambda: ShelfTopic(1).put(alice, "Coffee", id="a"),
        lambda: ShelfTopic(1).take(alice, "Tea", id="a"),
    ):
        with pytest.raises(Refused) as refused:
            call()
        assert refused.value.code == "conflict"
    put(alice, "Tea", "a", key=2)
    put(bob, "Tea", "a")
    assert sorted(Note.objects.values_list("board", "position")) == [("1", 1), ("1", 2), ("2", 1)]


async def test_the_wire_and_a_view_answer_one_id_alike(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        first = await page.ask("put", topic="shelf/1", id="a", text="Tea")
        assert await in_thread(put)(alice, "Tea", "a") == {"count": 1}
        assert first["result"] == {"count": 1}
        for client_id in ("", "x" * 65, None, 7):
            answer = await page.ask("put", topic="shelf/1", id=client_id, text="Tea")
            assert (answer["code"], "id" in answer["detail"]) == ("invalid", True)
        assert (await page.ask("put", topic="shelf/1", text="Tea"))["code"] == "invalid"
    assert await Note.objects.acount() == 1


# Told


async def test_a_told_command_reaches_members_and_is_refused_to_others(alice: Any, bob: Any) -> None:
    async with opened(alice) as page, opened(bob) as other:
        assert (await page.ask("note.typing", topic="board/plan"))["code"] == "conflict"
        for each in (page, other):
            await each.ask("join", topic="board/plan")
        await page.ask("note.typing", topic="board/plan")
        expected = {"type": "typing", "topic": "board/plan", "name": "alice"}
        assert await other.next("typing") == await page.next("typing") == expected
        await page.ask("leave", topic="board/plan")
        assert (await page.ask("note.typing", topic="board/plan"))["code"] == "conflict"


async def test_a_client_that_does_not_read_gets_what_is_stored_and_not_what_is_told(alice: Any, bob: Any) -> None:
    async with opened(alice) as page, opened(bob) as slow:
        for each in (page, slow):
            await each.ask("join", topic="board/plan")
        slow.reads.clear()
        for number in ("1", "2"):
            await page.ask("note.add", topic="board/plan", id=number, text=number)
            await page.next("noted")
        await page.ask("note.typing", topic="board/plan")
        await page.next("typing")
        slow.reads.set()
        assert [(await slow.next("noted"))["text"] for _ in range(2)] == ["1", "2"]
        await page.ask("note.add", topic="board/plan", id="3", text="3")
        frame = await slow.next()
        while frame["type"] == "presence.changed":
            frame = await slow.next()
        assert frame["type"] == "noted"
        await page.ask("note.typing", topic="board/plan")
        await slow.next("typing")


# Topics of one user


async def test_topics_of_two_users_in_one_group_of_the_layer_stay_apart(alice: Any, bob: Any) -> None:
    mine = InboxTopic(f"{alice.pk}-0")
    others = (InboxTopic(f"{bob.pk}-{number}") for number in range(10_000))
    theirs = next(topic for topic in others if layer_group(topic.group) == layer_group(mine.group))
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        assert (await page.ask("join", topic=mine.address))["state"] == {"notes": 0}
        await other.ask("join", topic=theirs.address)
        assert (await other.ask("join", topic=mine.address))["code"] == "not_found"
        await in_thread(theirs.tell)({"type": "hello", "to": "bob"})
        assert (await other.next())["to"] == "bob"
        await in_thread(mine.changed)()
        assert (await page.next())["topic"] == mine.address
        await page.ask("leave", topic=mine.address)  # The group of the layer is still used.
        await in_thread(theirs.changed)()
        assert (await other.next())["topic"] == theirs.address
        assert page.unread() == other.unread() == []


# States that cannot be read


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
