"""`hubbub.testing` in every kind of test, without Redis."""

import asyncio
import time
from typing import Any
from uuid import uuid4

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import transaction
from django.test import TestCase, TransactionTestCase

from chat import services
from chat.topics import RoomTopic
from hubbub import Refused
from hubbub.publish import process_sender
from hubbub.testing import connect, published
from tests.support.polls.models import Option, Poll
from tests.support.polls.topics import BoardTopic, PollTopic
from tests.support.topic_page import in_thread

pytestmark = pytest.mark.database


@pytest.fixture(autouse=True)
def _no_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError("something was sent to Redis")

    monkeypatch.setattr(process_sender, "_with_sender", fail)


def make_voter(name: str) -> Any:
    with published():
        user = get_user_model().objects.create(username=name)
        user.user_permissions.add(*Permission.objects.filter(codename__in=["view_poll", "add_vote"]))
        return user


def make_poll() -> tuple[Poll, int]:
    """A poll, and its option "yes"."""
    with published():
        poll = Poll.objects.create(question="Tea?")
        return poll, Option.objects.create(poll=poll, text="yes").pk


async def vote_on_two_pages(alice: Any, bob: Any, poll: Poll, option: int) -> None:
    async with connect(PollTopic, poll.pk, user=alice) as page, connect(PollTopic, poll.pk, user=bob) as other:
        assert page.state == {"question": "Tea?", "bars": [{"id": option, "text": "yes", "n": 0}]}
        assert await page.vote(option=option) is None
        for each in (page, other):
            assert (await each.changed())["bars"][0]["n"] == 1
            assert each.state["bars"][0]["n"] == 1
        with pytest.raises(Refused, match="no such option"):
            await page.send("vote", option=0)
        with pytest.raises(Refused, match="Expected `int`"):
            await page.vote(option="yes")
        with pytest.raises(AttributeError, match="has no command 'boil'"):
            page.boil  # noqa: B018
        with pytest.raises(AssertionError, match=r"no 'changed' within 0.01 s; there came changed"):
            await page.changed(0.01)


class InATransaction(TestCase):
    @classmethod
    def setUpTestData(cls) -> None:
        cls.alice, cls.bob = make_voter("alice"), make_voter("bob")
        cls.poll, cls.option = make_poll()

    async def test_a_vote_reaches_both(self) -> None:
        await vote_on_two_pages(self.alice, self.bob, self.poll, self.option)

    async def test_a_row_that_the_test_saves_is_shown(self) -> None:
        async with connect(PollTopic, self.poll.pk, user=self.alice) as page:
            self.poll.question = "Coffee?"
            await self.poll.asave()
            assert (await page.changed(0.5))["question"] == "Coffee?"

    def test_a_change_by_django_is_published(self) -> None:
        with published(f"poll/{self.poll.pk}") as frames:
            self.poll.save()
            PollTopic(self.poll.pk).vote(self.bob, self.option)
        assert [frame["type"] for frame in frames] == ["changed"] * 2
        assert frames[0]["position"] < frames[1]["position"]

    def test_what_rolls_back_is_not_published(self) -> None:
        with published() as frames, transaction.atomic():
            self.poll.save()
            transaction.set_rollback(True)
        assert frames == []


class WithCommits(TransactionTestCase):
    def setUp(self) -> None:
        self.alice, self.bob = make_voter("alice"), make_voter("bob")
        self.poll, self.option = make_poll()

    async def test_a_vote_reaches_both(self) -> None:
        await vote_on_two_pages(self.alice, self.bob, self.poll, self.option)


async def test_a_vote_reaches_both_with_pytest_asyncio(transactional_db: None) -> None:
    voters = [await in_thread(make_voter)(name) for name in ("alice", "bob")]
    poll, option = await in_thread(make_poll)()
    await vote_on_two_pages(*voters, poll, option)


async def test_a_transaction_that_cannot_be_seen_is_said(db: None, alice: Any) -> None:
    with pytest.raises(RuntimeError, match="use `transactional_db`"):
        async with connect(PollTopic, 1, user=alice):
            pass


async def test_a_state_that_is_refused_after_a_change_closes_the_page(transactional_db: None) -> None:
    alice = await in_thread(make_voter)("alice")
    poll, _ = await in_thread(make_poll)()
    async with connect(PollTopic, poll.pk, user=alice) as page:
        await poll.adelete()
        assert await page.closed() == "not_found"


async def test_a_log_its_events_and_what_is_told(transactional_db: None) -> None:
    alice = await in_thread(make_voter)("alice")
    async with connect(BoardTopic, "plan", user=alice) as page:
        assert (page.state, page.viewer) == ([], {"name": "alice"})
        assert await page.add(text="tea") == {"position": 1}
        assert await page.add(text="tea", id="mine") == await page.add(text="tea", id="mine") == {"position": 2}
        assert (await page.event("noted"))["text"] == "tea"
        await page.typing()
        assert (await page.event("typing"))["name"] == "alice"
        assert [frame["type"] for frame in page.frames] == ["noted", "noted", "typing"]
        assert await page.last() == "tea"


async def test_a_lost_permission_closes_the_page(transactional_db: None) -> None:
    alice = await in_thread(make_voter)("alice")
    poll, _ = await in_thread(make_poll)()
    async with connect(PollTopic, poll.pk, user=alice) as page:
        with pytest.raises(AssertionError, match="is open after"):
            await page.closed(0.01)
        await in_thread(alice.user_permissions.clear)()
        assert await page.closed() == "forbidden"
    with pytest.raises(Refused, match="no permission"):
        async with connect(PollTopic, poll.pk, user=alice):
            pass


async def test_a_change_by_another_thread_wakes_the_page(transactional_db: None) -> None:
    alice = await in_thread(make_voter)("alice")
    poll, _ = await in_thread(make_poll)()
    async with connect(PollTopic, poll.pk, user=alice) as page:
        waiting = asyncio.create_task(page.changed())
        await asyncio.sleep(0)
        poll.question = "Coffee?"
        await in_thread(poll.save)()
        assert (await waiting)["question"] == "Coffee?"


async def test_a_page_takes_milliseconds(transactional_db: None) -> None:
    alice = await in_thread(make_voter)("alice")
    poll, option = await in_thread(make_poll)()
    times = []
    for _ in range(5):
        began = time.process_time()
        async with connect(PollTopic, poll.pk, user=alice) as page:
            await page.vote(option=option)
            await page.changed()
        times.append(time.process_time() - began)
    assert min(times) < 0.1


def test_blocks_that_end_in_any_order_restore_the_sender() -> None:
    put = process_sender.put
    first, second = published("a"), published("b")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert process_sender.put is not put
    second.__exit__(None, None, None)
    assert process_sender.put is put


async def test_a_room_of_the_chat(transactional_db: None) -> None:
    alice = await in_thread(make_voter)("alice")
    with published():
        await in_thread(services.create_room)(slug="lounge", title="Lounge")
    async with connect(RoomTopic, "lounge", user=alice) as page:
        assert page.state["room"]["title"] == "Lounge"
        assert (await page.post(id=str(uuid4()), body="hello"))["seq"] == 1
        posted = await page.event("message.posted")
        assert (posted["message"]["body"], posted["position"]) == ("hello", 1)
        assert (await page.edit(seq=1, body="bye"))["position"] == 2
        assert (await page.event("message.edited"))["message"]["body"] == "bye"
        assert [message["body"] for message in (await page.history(before=9))["messages"]] == ["bye"]
