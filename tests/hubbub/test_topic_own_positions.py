"""Logs with positions in rows of their own: joins, repairs, re-checks, ends."""

from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import transaction
from django.db.models import F

from hubbub import Topic, publish
from hubbub.delivery.recovery import StreamPosition
from hubbub.models import TopicPosition
from hubbub.topics import reading, recovery
from hubbub.topics.recovery import Comparison
from tests.support.declarations import declare, refusal
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.diaries import DiaryTopic, write
from tests.support.polls.models import Diary
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.slow,
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads", "declared"),
]

WORK = "diary/work"


@pytest.fixture(autouse=True)
def read_by(alice: Any, bob: Any) -> None:
    for slug in ("work", "home"):
        Diary.objects.create(slug=slug).readers.set([alice, bob])


@pytest.fixture
def often(settings: Any) -> None:
    settings.HUBBUB = settings.HUBBUB | {"RECONCILE_SECONDS": 0.3}


def add(text: str, slug: str = "work", *, is_published: bool = True) -> None:
    with transaction.atomic():
        position = write(slug, text)
        if is_published:
            topic = DiaryTopic(slug)
            topic.publish(position, topic.event(text))


def change(**fields: Any) -> None:
    """Change the row of the diary, and publish nothing."""
    Diary.objects.filter(slug="work").update(**fields)


# Joins


async def test_a_join_reads_state_position_and_viewer_of_the_row(alice: Any) -> None:
    for text in "abcde":
        await in_thread(add)(text)
    async with opened(alice, TrialConsumer) as page:
        joined = await page.ask("join", topic=WORK)
        assert (joined["epoch"], joined["position"], joined["state"]) == ("first", 5, ["c", "d", "e"])
        assert joined["viewer"] == {"pages": 5}
        resumed = await page.ask("join", topic=WORK, after=3, epoch="first")
        assert resumed["complete"]
        assert [(event["position"], event["text"]) for event in resumed["events"]] == [(4, "d"), (5, "e")]
    assert not await TopicPosition.objects.aexists()


@pytest.mark.parametrize(
    ("after", "epoch", "complete"),
    [(5, "first", True), (2, "first", True), (1, "first", False), (6, "first", False), (5, "other", False)],
    ids=["at the newest", "what is on record", "what is gone", "in the future", "of another numbering"],
)
async def test_a_resume_is_from_positions_on_record(alice: Any, after: int, epoch: str, complete: bool) -> None:
    for text in "abcde":
        await in_thread(add)(text)
    await in_thread(change)(purged=2)
    async with opened(alice, TrialConsumer) as page:
        joined = await page.ask("join", topic=WORK, after=after, epoch=epoch)
        assert (joined["complete"], joined["position"], "state" in joined) == (complete, 5, not complete)


async def test_enter_refuses_before_anything_is_read(alice: Any, charlie: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[str] = []
    for name in ("state", "changes", "read_position"):
        read = getattr(DiaryTopic, name)

        def note(self: Any, *given: Any, name: str = name, read: Callable[..., Any] = read) -> Any:
            reads.append(name)
            return read(self, *given)

        monkeypatch.setattr(DiaryTopic, name, note)
    async with opened(charlie, TrialConsumer) as page:
        for address in (WORK, "diary/nowhere"):
            answer = await page.ask("join", topic=address)
            assert (answer["code"], answer["detail"]) == ("not_found", "there is no such topic")
        assert reads == []
    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic=WORK)
        assert reads == ["read_position", "state"]


# Repairs


@pytest.mark.usefixtures("often")
async def test_changes_that_redis_loses_are_read_from_the_rows(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic=WORK)
        for text in ("a", "b"):
            await in_thread(add)(text, is_published=False)
        assert [(event["position"], event["text"]) for event in [await page.next("page.added") for _ in range(2)]] == [
            (1, "a"),
            (2, "b"),
        ]
        await in_thread(add)("c")
        assert (await page.next("page.added"))["position"] == 3


async def test_a_hole_before_a_published_change_is_read_from_the_rows(alice: Any) -> None:
    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic=WORK)
        await in_thread(add)("lost", is_published=False)
        await in_thread(add)("found")
        assert [(await page.next("page.added"))["text"] for _ in range(2)] == ["lost", "found"]


async def test_several_changes_are_published_in_one_message(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    messages: list[list[int]] = []
    send = publish.publish_in_order

    def note(group: str, frames: Any) -> None:
        messages.append([at for at, _ in frames])
        send(group, frames)

    def add_three() -> None:
        topic = DiaryTopic("work")
        with transaction.atomic():
            topic.publish_many([(write("work", text), topic.event(text)) for text in "abc"])

    monkeypatch.setattr(publish, "publish_in_order", note)
    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic=WORK)
        await in_thread(add_three)()
        assert [(await page.next("page.added"))["text"] for _ in range(3)] == ["a", "b", "c"]
    assert messages == [[1, 2, 3]]


async def test_a_comparison_reads_all_open_rows_in_one_query(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their tables have no index by time."""
    asked: list[set[str]] = []
    read = DiaryTopic.read_positions.__func__  # type: ignore[attr-defined]

    def note(cls: Any, keys: Any) -> Any:
        asked.append({*keys})
        return read(cls, keys)

    monkeypatch.setattr(DiaryTopic, "read_positions", classmethod(note))
    await in_thread(add)("a")
    groups = ["t:diary/work", "t:diary/home", "t:diary/nowhere"]
    for _ in range(2):
        found = await Comparison().read_changed(groups)
        existing = {"t:diary/work": StreamPosition("first", 1, 0), "t:diary/home": StreamPosition("first", 0, 0)}
        assert found == {**existing, "t:diary/nowhere": None}  # It has ended.
    assert asked == [{"work", "home", "nowhere"}] * 2
    assert await in_thread(reading.read_positions)(recovery.find, groups) == existing


# Access


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("is_told", [True, False], ids=["by a hint", "by the version in the row"])
async def test_a_user_who_lost_access_is_closed_with_a_code_of_the_topic(alice: Any, bob: Any, is_told: bool) -> None:
    def shut_out() -> None:
        diary = Diary.objects.get(slug="work")
        diary.readers.remove(bob)
        if is_told:
            DiaryTopic("work").access_changed()
        else:
            change(access_version=F("access_version") + 1)

    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        for each in (page, other):
            await each.ask("join", topic=WORK)
        await in_thread(shut_out)()
        assert await other.next("closed") == {"type": "closed", "topic": WORK, "code": "unread"}
        await in_thread(add)("secret")
        assert (await page.next("page.added"))["text"] == "secret"
        assert other.unread() == []
        assert (await other.ask("join", topic=WORK, after=0, epoch="first"))["code"] == "not_found"


# Ends


@pytest.mark.usefixtures("often")
@pytest.mark.parametrize("is_told", [True, False], ids=["by close", "by the missing row"])
async def test_a_topic_that_has_ended_is_closed(alice: Any, is_told: bool) -> None:
    def end() -> None:
        with transaction.atomic():
            Diary.objects.filter(slug="work").delete()
            if is_told:
                DiaryTopic("work").close("burnt")

    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic=WORK)
        await page.ask("join", topic="diary/home")
        await in_thread(end)()
        assert await page.next("closed") == {"type": "closed", "topic": WORK, "code": "burnt"}
        assert (await page.ask("join", topic=WORK))["code"] == "not_found"
        await in_thread(add)("elsewhere", "home")
        assert (await page.next("page.added"))["topic"] == "diary/home"


async def test_a_topic_that_ends_while_it_is_joined_is_not_found(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DiaryTopic, "read_position", lambda self: None)
    async with opened(alice, TrialConsumer) as page:
        answer = await page.ask("join", topic=WORK)
        assert (answer["code"], answer["detail"]) == ("not_found", "there is no such topic")


async def test_an_end_that_is_rolled_back_closes_nothing(alice: Any) -> None:
    def roll_back() -> None:
        with transaction.atomic():
            DiaryTopic("work").close("burnt")
            transaction.set_rollback(True)
        add("goes on")

    async with opened(alice, TrialConsumer) as page:
        await page.ask("join", topic=WORK)
        await in_thread(roll_back)()
        assert (await page.next())["type"] == "page.added"


@pytest.mark.usefixtures("often")
async def test_a_new_epoch_of_the_row_closes_the_socket_of_its_members(alice: Any, bob: Any) -> None:
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        await page.ask("join", topic=WORK)
        await other.ask("join", topic="diary/home")
        await in_thread(change)(epoch="second")
        assert (await page.next("close"))["reason"] == "Restored"
        assert (await other.ask("ping"))["type"] == "pong"


# Declarations


def test_it_takes_no_position_of_the_engine() -> None:
    with transaction.atomic(), pytest.raises(TypeError, match=r"diary/work: its rows have positions of their own"):
        DiaryTopic("work").next_position()
    with pytest.raises(TypeError, match="changed"):
        DiaryTopic("work").changed()


@pytest.mark.parametrize("kind", ["state", "newest"])
def test_only_a_log_has_positions_of_its_own(kind: str) -> None:
    message = refusal(lambda: declare(kind=kind, read_positions=classmethod(lambda cls, keys: {})))
    assert message == f'ThingTopic: kind={kind!r}: a topic with read_positions() is a "log"'


def test_it_renews_its_epoch_itself() -> None:
    """Else clients would resume from void positions after a restored backup."""
    log = {"kind": "log", "changes": lambda self, after, limit: []}
    message = refusal(lambda: declare(read_positions=classmethod(lambda cls, keys: {}), **log))
    assert message.startswith("ThingTopic: renew_epoch=None: ")


async def test_renewed_epochs_start_its_clients_anew(alice: Any) -> None:
    await in_thread(add)("a")
    await in_thread(call_command)("renew_epochs", stdout=StringIO())
    async with opened(alice, TrialConsumer) as page:
        joined = await page.ask("join", topic=WORK, after=1, epoch="first")
        assert (joined["complete"], joined["epoch"], joined["position"]) == (False, "renewed", 1)


@pytest.mark.parametrize("name", ["enter", "read_position", "can_resume"])
def test_a_method_by_hand_runs_in_a_thread(name: str) -> None:
    async def method(self: Any, *_: Any) -> None:
        """Would be awaited by nobody."""

    message = refusal(lambda: declare(kind="log", changes=lambda self, after, limit: [], **{name: method}))
    assert message.startswith(f"ThingTopic: {name}=")
    assert message.endswith("methods run in threads: write `def` instead of `async def`")


def test_without_methods_by_hand_the_engine_does_it() -> None:
    topic = declare(key=int)
    assert not topic.has_own_positions
    assert topic.denied({7: ["1"]}) is None
    assert topic(7).can_resume(3)
    assert topic.ended == Topic.ended == "not_found"
