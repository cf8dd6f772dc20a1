"""Re-checks of members: of topics that fail, that are slow, and of tokens with fewer scopes."""

import time
from types import SimpleNamespace
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from hubbub.auth.tokens import create_token
from hubbub.models import AccessToken
from hubbub.protocol import Refused, read_frame
from hubbub.topics import access, calls, reading, recovery
from tests.support.polls.consumers import TrialConsumer
from tests.support.polls.topics import PollTopic
from tests.support.polls.trials import DrawerTopic, ShelfTopic
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
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shelves are asked about each user."""
    monkeypatch.setattr(ShelfTopic, "viewers_allowed", classmethod(lambda cls, keys: None))


def test_a_check_that_raises_denies_one_user_of_one_topic(
    alice: Any, bob: Any, one_by_one: None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def may_view(self: ShelfTopic, user: Any) -> bool:
        if (self.key, user.get_username()) == (1, "alice"):
            raise ValueError("no such column")
        return self.key != 2

    monkeypatch.setattr(ShelfTopic, "may_view", may_view)
    ids = [str(user.pk) for user in (alice, bob)]
    denied, rest = access.denied([(ShelfTopic(key), ids) for key in (1, 2, 3)])
    assert denied == {"shelf/1": {ids[0]: "not_found"}, "shelf/2": dict.fromkeys(ids, "not_found")}
    assert rest == []
    access.denied([(ShelfTopic(1), ids)])
    assert caplog.text.count("ShelfTopic: authorization re-check failed: ValueError('no such column')") == 1
    assert "in may_view" in caplog.text


def test_a_question_for_all_that_raises_is_asked_about_each(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(cls: Any, keys: Any) -> Any:
        raise ValueError("no such column")

    monkeypatch.setattr(ShelfTopic, "viewers_allowed", classmethod(fail))
    ids = [str(user.pk) for user in (alice, bob)]
    assert access.denied([(ShelfTopic(1000), ids)])[0] == {"shelf/1000": {ids[1]: "not_found"}}
    assert "no such column" in caplog.text


@pytest.mark.parametrize("answer", [[1], {1: None}], ids=["no mapping", "no users"])
def test_a_wrong_answer_for_all_is_asked_about_each(
    alice: Any, bob: Any, answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ShelfTopic, "viewers_allowed", classmethod(lambda cls, keys: answer))
    ids = [str(user.pk) for user in (alice, bob)]
    assert access.denied([(ShelfTopic(1000), ids)])[0] == {"shelf/1000": {ids[1]: "not_found"}}


def test_an_answer_by_hand_that_raises_is_asked_about_each(
    alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ids = [str(user.pk) for user in (alice, bob)]

    def denied(cls: Any, users: Any) -> Any:
        if ids[0] in users.get((1, "a"), ()):
            raise ValueError("no such row")
        return {key: dict.fromkeys(user_ids, "banned") for key, user_ids in users.items() if key == (2, "a")}

    monkeypatch.setattr(DrawerTopic, "denied", classmethod(denied))
    users = {f"t:{address}": {*ids} for address in ("drawer/1/a", "drawer/2/a", "drawer/3/a", "shelf/1000")}
    found, rest = reading.find_denied(recovery.find, users)
    codes = {(group, user_id): read_frame(text)["code"] for group in found for user_id, text in found[group].items()}
    assert codes == {
        ("t:drawer/1/a", ids[0]): "not_found",
        ("t:drawer/2/a", ids[0]): "banned",
        ("t:drawer/2/a", ids[1]): "banned",
        ("t:shelf/1000", ids[1]): "not_found",
    }
    assert rest == {}
    assert caplog.text.count("DrawerTopic: authorization re-check failed: ValueError('no such row')") == 1


async def test_slow_checks_are_done_in_parts_and_evict_after_each(
    alice: Any, bob: Any, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def may_view(self: ShelfTopic, user: Any) -> bool:
        time.sleep(0.05)
        return bool(user.get_username() == "alice")

    monkeypatch.setattr(ShelfTopic, "may_view", may_view)
    monkeypatch.setattr(access, "CHECK_SECONDS", 0.1)
    users = {f"t:shelf/{key}": {str(alice.pk), str(bob.pk)} for key in range(10)}
    parts = [part async for part in recovery._find_revoked(users)]
    assert len(parts) >= 5
    denied = {(group, user_id) for part in parts for group, frames in part.items() for user_id in frames}
    assert denied == {(group, str(bob.pk)) for group in users}


async def test_a_slow_answer_for_many_is_asked_for_once(alice: Any, bob: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def viewers_allowed(cls: Any, keys: Any) -> Any:
        asked.append(len(keys))
        time.sleep(0.1)
        return dict.fromkeys(keys, ())

    monkeypatch.setattr(ShelfTopic, "viewers_allowed", classmethod(viewers_allowed))
    monkeypatch.setattr(access, "CHECK_SECONDS", 0.05)
    users = {f"t:shelf/{key}": {str(alice.pk), str(bob.pk)} for key in range(10)}
    [part] = [part async for part in recovery._find_revoked(users)]
    assert {group: {*frames} for group, frames in part.items()} == users
    assert asked == [10]


async def test_slow_checks_of_many_classes_share_the_time_of_a_job(
    alice: Any, one_by_one: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]  # A clock that only checks turn.
    asked: list[str] = []

    def may_view(self: Any, user: Any) -> bool:
        now[0] += 0.25
        asked.append(self.address)
        return False

    monkeypatch.setattr(DrawerTopic, "viewers_allowed", classmethod(lambda cls, keys: None))
    for topic in (ShelfTopic, DrawerTopic):
        monkeypatch.setattr(topic, "may_view", may_view)
    users = {f"t:{kind}": {str(alice.pk)} for key in range(5) for kind in (f"shelf/{key}", f"drawer/{key}/a")}
    jobs, rest, found = 0, users, set[str]()
    with monkeypatch.context() as patched:
        clock = SimpleNamespace(monotonic=lambda: now[0])
        patched.setattr(access, "time", clock)
        patched.setattr(reading, "time", clock)
        while rest:
            began = now[0]
            part, rest = await in_thread(reading.find_denied)(recovery.find, rest)
            jobs += 1
            found |= {*part}
            assert now[0] - began <= access.CHECK_SECONDS + 0.25
    assert found == {*users}
    assert len(asked) == 10
    assert jobs == 4


def test_a_token_that_lost_a_scope_writes_no_more(bob: Any) -> None:
    from hubbub.auth.identity import identify_token

    token, text = create_token(user=bob, name="test", expires_at=None, scopes=["poll.read", "poll.write"])
    identity = identify_token(text, None)
    assert identity is not None
    spec = PollTopic.commands["vote"]
    arguments = spec.arguments(ref=1, topic="poll/1", option=1)
    with pytest.raises(Refused, match="no such option"):
        calls.run_from_wire(PollTopic(1), spec, arguments, identity)
    AccessToken.objects.filter(pk=token.pk).update(scopes="poll.read")
    with pytest.raises(Refused, match="signed out"):
        calls.run_from_wire(PollTopic(1), spec, arguments, identity)


async def test_a_key_that_cannot_be_is_no_answer_to_who_lacks_the_permission(bob: Any) -> None:
    async with opened(bob, TrialConsumer) as page:
        assert (await page.ask("join", topic="poll/abc"))["code"] == "not_found"
        await in_thread(bob.user_permissions.clear)()
        for address in ("poll/abc", "poll/07", "poll/7"):
            assert (await page.ask("join", topic=address))["code"] == "forbidden"
        assert (await page.ask("join", topic="nothing/7"))["code"] == "not_found"
