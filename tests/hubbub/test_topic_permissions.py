"""Who may see a topic and run its commands: by class, by object, in bulk, and no longer."""

from collections.abc import Collection, Mapping
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from hubbub.protocol import Refused
from hubbub.topics import access
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.models import Note, Poll
from tests.support.polls.topics import ThermometerTopic
from tests.support.polls.trials import ShelfTopic
from tests.support.topic_page import in_thread, opened

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any) -> None:
    access._permission_log.cache_clear()  # A failure is logged once.
    for user in (alice, bob):
        user.user_permissions.add(*Permission.objects.filter(codename__in=["view_poll", "add_vote"]))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[int, set[str]]]:
    """The questions for many viewers at once."""
    questions: list[dict[int, set[str]]] = []
    allowed = ShelfTopic.viewers_allowed.__func__  # type: ignore[attr-defined]

    def note(cls: type[ShelfTopic], keys: Mapping[Any, Collection[Any]]) -> Any:
        questions.append({key: {user.get_username() for user in users} for key, users in keys.items()})
        return allowed(cls, keys)

    monkeypatch.setattr(ShelfTopic, "viewers_allowed", classmethod(note))
    return questions


def without_permission(user: Any) -> None:
    user.user_permissions.clear()


async def test_an_object_is_not_found_by_who_may_not_see_it_from_the_wire_and_from_a_view(alice: Any, bob: Any) -> None:
    async with opened(bob, TrialConsumer) as page:
        for kind, fields in (("join", {}), ("swap", {"other": 2}), ("put", {"id": "a", "text": "Tea"})):
            answer = await page.ask(kind, topic="shelf/1000", **fields)
            assert (answer["code"], answer["detail"]) == ("not_found", "there is no such topic")
    with pytest.raises(Refused) as refused:
        await in_thread(ShelfTopic(1000).swap)(bob, 2)
    assert refused.value.code == "not_found"
    async with opened(alice, TrialConsumer) as page:
        assert (await page.ask("join", topic="shelf/1000"))["type"] == "ok"


async def test_a_change_of_access_asks_about_all_members_in_one_question(
    alice: Any, bob: Any, asked: list[dict[int, set[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(alice, TrialConsumer) as page, opened(bob, TrialConsumer) as other:
        for each in (page, other):
            await each.ask("join", topic="shelf/1")
        monkeypatch.setattr(ShelfTopic, "may_view", lambda self, user: user.get_username() == "alice")
        asked.clear()
        await in_thread(ShelfTopic(1).access_changed)()
        assert await other.next("closed") == {"type": "closed", "topic": "shelf/1", "code": "not_found"}
        assert {1: {"alice", "bob"}} in asked
        await in_thread(Note.objects.create)(board="1", position=1, text="a")
        assert (await page.next("changed"))["state"] == ["a"]
        assert other.unread() == []


async def test_a_permission_that_is_lost_between_two_commands_refuses_the_second(alice: Any, bob: Any) -> None:
    poll = await Poll.objects.acreate(question="Tea?")
    option = await poll.options.acreate(text="yes")
    async with opened(bob) as page:
        assert (await page.ask("vote", topic=f"poll/{poll.pk}", option=option.pk))["type"] == "ok"
        await in_thread(bob.user_permissions.remove)(await Permission.objects.aget(codename="add_vote"))
        answer = await page.ask("vote", topic=f"poll/{poll.pk}", option=option.pk)
        assert (answer["code"], answer["detail"]) == ("forbidden", "you have no permission for vote")
        assert (await page.ask("join", topic=f"poll/{poll.pk}"))["type"] == "ok"
        await in_thread(without_permission)(bob)
        assert (await page.next("closed"))["code"] == "forbidden"
        assert (await page.ask("join", topic=f"poll/{poll.pk}"))["code"] == "forbidden"


async def test_a_user_who_is_deactivated_without_a_hint_can_do_nothing_more(alice: Any, bob: Any) -> None:
    async with opened(bob, TrialConsumer) as page:
        await page.ask("join", topic="shelf/1")
        await get_user_model().objects.filter(pk=bob.pk).aupdate(is_active=False)
        answer = await page.ask("put", topic="shelf/1", id="a", text="Tea")
        assert answer["code"] == "unauthorized"
        assert (await page.next("close"))["code"] == 4003
    assert not await Note.objects.aexists()
    with pytest.raises(Refused) as refused:
        await in_thread(ShelfTopic(1).put)(bob, "Tea", id="a")
    assert refused.value.code == "unauthorized"


async def test_a_change_of_access_is_found_when_its_hint_is_lost(
    alice: Any, bob: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.HUBBUB = settings.HUBBUB | {"RECONCILE_SECONDS": 0.3}
    async with opened(bob, TrialConsumer) as page:
        await page.ask("join", topic="shelf/1")
        monkeypatch.setattr("hubbub.publish.publish_access_changed", lambda *_: None)
        monkeypatch.setattr(ShelfTopic, "may_view", lambda self, user: False)
        await in_thread(ShelfTopic(1).access_changed)()
        assert (await page.next("closed"))["code"] == "not_found"


async def test_a_topic_that_cannot_say_who_may_see_it_keeps_no_other_open(
    bob: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    poll = await Poll.objects.acreate(question="Tea?")

    def fail(cls: Any, keys: Any) -> Any:
        raise ValueError("no such column")

    async with opened(bob, TrialConsumer) as page:
        for address in (f"poll/{poll.pk}", "shelf/1"):
            await page.ask("join", topic=address)
        monkeypatch.setattr(ShelfTopic, "viewers_allowed", classmethod(fail))
        await in_thread(without_permission)(bob)
        # In any order.
        closed = {(await page.next("closed"))["topic"] for _ in range(2)}
        assert closed == {f"poll/{poll.pk}", "shelf/1"}
        assert "ShelfTopic: authorization re-check failed: ValueError('no such column')" in caplog.text


def test_denied_names_a_code_for_each_user(alice: Any, bob: Any, charlie: Any) -> None:
    bob.is_active = False
    bob.save()
    ids = {user.get_username(): str(user.pk) for user in (alice, bob, charlie)}
    denied, rest = access.denied(
        [(ShelfTopic(1), {*ids.values(), "999999", "x"}), (ShelfTopic(1000), {ids["charlie"]})]
    )
    assert denied["shelf/1"] == dict.fromkeys([ids["bob"], ids["charlie"], "999999", "x"], "forbidden")
    assert denied["shelf/1000"] == {ids["charlie"]: "forbidden"}
    assert rest == []
    charlie.user_permissions.add(Permission.objects.get(codename="view_poll"))
    denied, _ = access.denied([(ShelfTopic(1000), {ids["charlie"], ids["alice"]})])
    assert denied == {"shelf/1000": {ids["charlie"]: "not_found"}}


async def test_members_of_a_newest_are_checked_again(bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with opened(bob) as page:
        assert (await page.ask("join", topic="thermometer"))["type"] == "ok"
        await in_thread(ThermometerTopic().publish)(1, {"type": "measured", "celsius": 21.5})
        assert (await page.next("measured"))["celsius"] == 21.5
        monkeypatch.setattr(ThermometerTopic, "may_view", lambda self, user: False)
        await in_thread(ThermometerTopic().access_changed)()
        assert await page.next("closed") == {"type": "closed", "topic": "thermometer", "code": "not_found"}
        await in_thread(ThermometerTopic().publish)(2, {"type": "measured", "celsius": 22.0})
        assert (await page.ask("join", topic="thermometer"))["code"] == "not_found"
        assert page.unread() == []
