"""Calls that arrive together: their batches, their order, how many are in flight."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import OperationalError

from hubbub import command, threads
from hubbub.auth.identity import Identity
from hubbub.protocol import Refused, from_json
from hubbub.topics import batches
from hubbub.topics.batch_calls import Call
from hubbub.topics.commands import BY_METHOD
from tests.support.declarations import declare
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.diaries import DiaryTopic, Page
from tests.support.polls.diary_calls import ADD, call_of, outcome, pages
from tests.support.polls.models import Diary
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads", "declared"),
]


@pytest.fixture(autouse=True)
def written_by(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))
    for slug in ("work", "home"):
        Diary.objects.create(slug=slug).readers.set([alice, bob])


@pytest.fixture
def batch_texts(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The texts of each batch that was begun."""
    seen: list[list[str]] = []
    monkeypatch.setattr(DiaryTopic, "before", staticmethod(seen.append))
    return seen


@pytest.fixture
def queued(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The texts of the calls that sockets have handed over, in order."""
    seen: list[str] = []
    run = batches.Batcher.run

    async def note(self: batches.Batcher, call: Call) -> Any:
        seen.append(call.arguments.text)
        return await run(self, call)

    monkeypatch.setattr(batches.Batcher, "run", note)
    return seen


@pytest.fixture
def many_posts(settings: Any) -> None:
    """A user may send more than 32 at once."""
    settings.HUBBUB = settings.HUBBUB | {"POSTS_BURST": 100}


async def until_queued(queued: list[str], count: int) -> None:
    async with asyncio.timeout(3):
        while len(queued) < count:
            await asyncio.sleep(0.01)


@pytest.fixture
def blocked() -> Iterator[threading.Event]:
    """Set it: the threads of commands, which are busy from the call of `block` on, are free."""
    release = threading.Event()
    yield release
    release.set()


async def block(release: threading.Event) -> "asyncio.Future[Any]":
    pool = threads.topic_writers()
    blocking = asyncio.gather(*(pool.run(release.wait, 10) for _ in range(pool.threads)))
    await asyncio.sleep(0)
    return blocking


# Together


async def send(user: Any, slug: str, text: str) -> object:
    """Send a call as a socket does; cancel the task to give it up."""
    call = call_of(user, slug, text)
    return outcome(await batches.run_from_wire(call.topic, ADD, call.arguments, await identity_of(user)))


async def identity_of(user: Any) -> Identity:
    return Identity(str(user.pk), user.get_username(), permitted=True)


@pytest.fixture
def signed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """Identities of these calls have no session that could be checked again."""
    monkeypatch.setattr(
        "hubbub.topics.access.revalidate", lambda identities, users: {identity: identity for identity in identities}
    )


@pytest.mark.usefixtures("signed_in")
async def test_calls_during_a_batch_form_the_next_ones_in_their_order(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    release = threading.Event()

    def wait(texts: list[str]) -> None:
        seen.append(texts)
        release.wait(5)

    monkeypatch.setattr(DiaryTopic, "before", staticmethod(wait))
    first = asyncio.create_task(send(alice, "work", "first"))
    while not seen:
        await asyncio.sleep(0.01)
    waiting = [asyncio.create_task(send(alice, "work", str(number))) for number in range(15)]
    await asyncio.sleep(0)
    release.set()
    assert [await first, *[await other for other in waiting]] == [*range(1, 17)]
    # A lone one at once, never more than the declared number.
    assert seen == [["first"], [str(number) for number in range(10)], [str(number) for number in range(10, 15)]]


@pytest.mark.usefixtures("signed_in")
async def test_a_call_that_was_cancelled_before_its_turn_has_no_effect(alice: Any, blocked: threading.Event) -> None:
    blocking = await block(blocked)
    begun = asyncio.create_task(send(alice, "work", "in the queue of the threads"))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    waiting = asyncio.create_task(send(alice, "work", "too late"))
    in_time = asyncio.create_task(send(alice, "work", "in time"))
    await asyncio.sleep(0)
    for task in (begun, waiting):
        task.cancel()
    await asyncio.wait([begun, waiting])
    blocked.set()
    await blocking
    assert await in_time == 1
    assert await in_thread(pages)("work") == ["in time"]


@pytest.mark.usefixtures("signed_in")
async def test_a_database_that_is_away_refuses_every_call_of_a_batch(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(texts: list[str]) -> None:
        raise OperationalError("away")

    with monkeypatch.context() as broken:
        broken.setattr(DiaryTopic, "before", staticmethod(fail))
        results = await asyncio.gather(*(send(alice, "work", "x") for _ in range(3)), return_exceptions=True)
    assert [isinstance(result, Refused) and result.code for result in results] == ["unavailable"] * 3
    assert await send(alice, "work", "x") == 1


@pytest.mark.usefixtures("signed_in")
async def test_two_topics_with_one_method_have_batches_of_their_own(alice: Any) -> None:
    def shout(cls: Any, calls: Any) -> list[str]:
        return [f"{cls.name} {call.topic.name}" for call in calls]

    shout.__qualname__ = "BaseTopic.shout"
    add = command("shout", permission=BY_METHOD, batch=5, arguments=Page)(classmethod(shout))
    base = declare("base", key=str, add=add)
    both = [base, declare("other", key=str, bases=(base,))]
    identity = await identity_of(alice)

    async def call(topic: Any) -> Any:
        spec = topic.commands["shout"]
        arguments = spec.arguments(ref=0, topic=topic.address, text="")
        return from_json(await batches.run_from_wire(topic, spec, arguments, identity))

    assert await asyncio.gather(*(call(topic("x")) for topic in both)) == ["base base", "other other"]


# By the wire


async def test_calls_of_two_sockets_and_two_topics_are_one_batch(
    alice: Any, bob: Any, blocked: threading.Event, batch_texts: list[list[str]], queued: list[str]
) -> None:
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        for each in (page, other):
            await each.ask("join", topic="diary/work")
        blocking = await block(blocked)
        refs = [page.send_frame("page.add", topic="diary/work", text="begins a batch")]
        await until_queued(queued, 1)
        refs += [page.send_frame("page.add", topic=f"diary/{slug}", text=slug) for slug in ("work", "home")]
        other.send_frame("page.add", topic="diary/work", text="bob's")
        await until_queued(queued, 4)
        blocked.set()
        await blocking
        answers = [await page.next("ok") for _ in refs]
        assert [answer["ref"] for answer in answers] == refs
        assert (await other.next("ok"))["result"]["by"] == "bob"
    assert batch_texts[0] == ["begins a batch"]
    assert sorted(batch_texts[1]) == ["bob's", "home", "work"]


async def test_up_to_32_calls_of_a_topic_are_in_flight_and_take_effect_in_the_order_sent(
    alice: Any, blocked: threading.Event, queued: list[str], many_posts: None
) -> None:
    async with opened(alice, TrialConsumer) as page:
        blocking = await block(blocked)
        refs = [page.send_frame("page.add", topic="diary/work", text=str(number)) for number in range(40)]
        ping = page.send_frame("ping")
        await until_queued(queued, 32)
        # The rest is not read, so nothing is refused.
        assert (len(queued), page.inbox.qsize(), page.unread()) == (32, 9, [])
        blocked.set()
        await blocking
        answers = [await page.next() for _ in range(41)]
        assert [answer["ref"] for answer in answers if answer["type"] == "ok"] == refs
        assert [answer["ref"] for answer in answers if answer["type"] == "pong"] == [ping]
        assert [answer["result"]["position"] for answer in answers if answer["type"] == "ok"] == [*range(1, 41)]
    assert await in_thread(pages)("work") == [str(number) for number in range(40)]


async def test_other_commands_of_the_topic_wait_for_the_calls_before_them(alice: Any, blocked: threading.Event) -> None:
    async with opened(alice, TrialConsumer) as page:
        blocking = await block(blocked)
        refs = [page.send_frame("page.add", topic="diary/work", text=text) for text in ("a", "b")]
        refs.append(page.send_frame("page.last", topic="diary/work"))
        refs.append(page.send_frame("page.add", topic="diary/work", text="c"))
        refs.append(page.send_frame("page.last", topic="diary/work"))
        elsewhere = await page.ask("page.last", topic="diary/home")  # Another topic does not wait.
        assert elsewhere["type"] == "ok"
        blocked.set()
        await blocking
        answers = [await page.next("ok") for _ in refs]
        assert [answer["ref"] for answer in answers] == refs
        assert [answers[2]["result"], answers[4]["result"]] == ["b", "c"]


async def test_a_call_of_an_account_that_is_deactivated_meanwhile_has_no_effect(
    alice: Any, blocked: threading.Event, queued: list[str]
) -> None:
    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic="diary/work")
        blocking = await block(blocked)
        ref = page.send_frame("page.add", topic="diary/work", text="late")
        await until_queued(queued, 1)
        await get_user_model().objects.filter(pk=alice.pk).aupdate(is_active=False)
        blocked.set()
        await blocking
        answer = await page.next("error")
        assert (answer["ref"], answer["code"]) == (ref, "unauthorized")
        assert (await page.next("close"))["code"] == 4003
    assert await in_thread(pages)("work") == []


@pytest.mark.parametrize(("text", "code"), [("few", "internal"), ("broken", "internal"), ("raised", "conflict")])
async def test_a_lone_call_that_fails_is_answered_at_once(alice: Any, text: str, code: str) -> None:
    async with opened(alice, TrialConsumer) as page:
        assert (await page.ask("page.add", topic="diary/work", text=text))["code"] == code
        assert (await page.ask("page.add", topic="diary/work", text="next"))["result"]["position"] == 1


async def test_wrong_arguments_are_answered_by_name(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        for fields in ({}, {"text": 7}, {"text": "a", "size": "x"}, {"text": "a", "more": 1}):
            answer = await page.ask("page.add", topic="diary/work", **fields)
            assert answer["code"] == "invalid"
            assert any(name in answer["detail"] for name in ("text", "size", "more")), answer
