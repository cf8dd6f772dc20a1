"""Commands with a batch: calls of many topics share a transaction, and each has its own answer."""

import threading
import time
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import IntegrityError, OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from hubbub.protocol import Refused, from_json
from hubbub.publish import process_sender
from hubbub.publish.messages import SeveralFrames
from hubbub.topics import batch_calls
from tests.support.polls import diaries
from tests.support.polls.diaries import DiaryTopic
from tests.support.polls.diary_calls import ADD, call_of, outcome, pages, run
from tests.support.polls.models import Diary
from tests.support.together import meeting, run_together

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
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[int]]]:
    """(group, positions) of each message that was published."""
    seen: list[tuple[str, list[int]]] = []
    put = process_sender.put

    def note(message: Any, **more: Any) -> None:
        if isinstance(message, SeveralFrames):
            seen.append((message.group, [at for at, _ in message.frames]))
        put(message, **more)

    monkeypatch.setattr(process_sender, "put", note)
    return seen


# Outcomes


def test_calls_of_many_topics_share_one_transaction(
    alice: Any, bob: Any, batch_texts: list[list[str]], published: list[Any]
) -> None:
    calls = [call_of(alice, "work", "1"), call_of(bob, "home", "2"), call_of(bob, "work", "3")]
    with CaptureQueriesContext(connection) as queries:
        results = [from_json(result) for result in batch_calls.run(ADD, calls)]
    assert [(result["position"], result["by"]) for result in results] == [(1, "alice"), (1, "bob"), (2, "bob")]
    assert batch_texts == [["1", "2", "3"]]
    assert sum(query["sql"].startswith("BEGIN") for query in queries) == 1
    assert sorted(published) == [("t:diary/home", [1]), ("t:diary/work", [1]), ("t:diary/work", [2])]


def test_no_calls_are_no_transaction(django_assert_num_queries: Any) -> None:
    """A batch of which all have waited too long."""
    with django_assert_num_queries(0):
        assert run() == []


def test_a_refused_call_fails_no_other(alice: Any, batch_texts: list[list[str]]) -> None:
    calls = [call_of(alice, "work", text) for text in ("a", "refused", "b")]
    assert run(*calls) == [1, "invalid", 2]
    assert pages("work") == ["a", "b"]
    assert len(batch_texts) == 1


def test_each_call_is_checked_for_its_user_and_its_topic(alice: Any, bob: Any, charlie: Any) -> None:
    secret = Diary.objects.create(slug="secret")
    secret.readers.add(charlie, alice)
    ended = call_of(bob, "work", "gone")
    charlie_calls = [call_of(charlie, slug, "x") for slug in ("secret", "work")]
    bob.is_active = False
    bob.save()
    assert run(call_of(alice, "secret", "a"), *charlie_calls, ended, call_of(alice, "nowhere", "x")) == [
        1,
        "forbidden",  # Charlie reads it, and has no permission of Django to add.
        "not_found",
        "unauthorized",
        "not_found",
    ]
    assert (pages("secret"), pages("work")) == (["a"], [])


def test_after_an_error_each_call_is_run_alone(
    alice: Any, batch_texts: list[list[str]], published: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    calls = [call_of(alice, "work", text) for text in ("a", "broken", "b")]
    assert run(*calls) == [1, "internal", 2]
    assert pages("work") == ["a", "b"]
    assert batch_texts == [["a", "broken", "b"], ["a"], ["broken"], ["b"]]
    assert published == [("t:diary/work", [1]), ("t:diary/work", [2])]
    assert "command page.add: batch of 3 calls failed, running each alone" in caplog.messages
    assert f"command page.add: call for diary/work by user {alice.pk} failed" in caplog.messages


def test_a_call_whose_method_raises_a_refusal_is_answered_with_it(alice: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert run(*(call_of(alice, "work", text) for text in ("a", "raised", "b"))) == [1, "conflict", 2]
    assert pages("work") == ["a", "b"]
    assert caplog.messages == []
    with pytest.raises(Refused, match="raised"):
        run(call_of(alice, "work", "raised"))


def test_a_call_that_breaks_a_rule_of_the_database_fails_no_other(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse_poison(texts: list[str]) -> None:
        if "poison" in texts:
            raise IntegrityError("poison")

    monkeypatch.setattr(DiaryTopic, "before", staticmethod(refuse_poison))
    assert run(*(call_of(alice, "work", text) for text in ("a", "poison", "b"))) == [1, "unavailable", 2]
    assert pages("work") == ["a", "b"]


def test_a_database_that_goes_while_calls_are_run_alone_is_asked_no_more(
    alice: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries: list[int] = []

    def fail(texts: list[str]) -> None:
        tries.append(len(texts))
        raise IntegrityError("poison") if len(texts) > 1 else OperationalError("locked")

    monkeypatch.setattr(DiaryTopic, "before", staticmethod(fail))
    assert run(*(call_of(alice, "work", "x") for _ in range(50))) == ["unavailable"] * 50
    assert tries == [50, 1]


def test_calls_that_the_database_is_away_for_are_not_run_alone(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    tries: list[int] = []

    def fail(texts: list[str]) -> None:
        tries.append(len(texts))
        raise OperationalError("away")

    monkeypatch.setattr(DiaryTopic, "before", staticmethod(fail))
    with pytest.raises(OperationalError):
        run(*(call_of(alice, "work", "x") for _ in range(50)))
    assert tries == [50]


def test_a_failure_after_the_commit_refuses_no_saved_call(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("no publisher")

    monkeypatch.setattr(process_sender, "put", fail)
    assert run(call_of(alice, "work", "a")) == [1]


@pytest.mark.parametrize(
    ("text", "size", "code"), [("odd", 0, "internal"), ("long", 1_000_000, "too_long"), ("few", 0, "internal")]
)
def test_a_call_whose_result_cannot_be_sent_has_no_effect(
    alice: Any, text: str, size: int, code: str, published: list[Any]
) -> None:
    calls = [call_of(alice, "work", "a"), call_of(alice, "work", text, size), call_of(alice, "work", "b")]
    assert run(*calls) == [1, code, 2]
    assert pages("work") == ["a", "b"]
    assert published == [("t:diary/work", [1]), ("t:diary/work", [2])]


def test_a_locked_topic_does_not_delay_another(alice: Any, published: list[Any]) -> None:
    """On PostgreSQL; SQLite has one lock for all."""
    if connection.vendor != "postgresql":
        return
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            Diary.objects.select_for_update().get(slug="work")
            held.set()
            release.wait(30)
        connection.close()

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(10)
    calls = [call_of(alice, slug, str(number)) for number, slug in enumerate(["work", "home", "work", "home"])]
    try:
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '1s'")
        began = time.monotonic()
        results = batch_calls.run(ADD, calls)
        assert time.monotonic() - began < 3
        assert [outcome(result) for result in results] == ["unavailable", 1, "unavailable", 2]
        assert (results[0].detail, results[0].retry_after_ms) == ("diary/work is locked; try again", 1000)
        assert {group for group, _ in published} == {"t:diary/home"}
        with pytest.raises(OperationalError):
            run(calls[0])
    finally:
        release.set()
        holder.join()
        connection.close()
    assert run(*calls) == [1, 3, 2, 4]


def test_a_batch_that_meets_a_deadlock_is_run_once_more(alice: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two batches that lock the diaries in opposite order, as two processes may."""
    meet = meeting()
    write = diaries.write

    def write_and_meet(slug: str, text: str) -> int:
        position = write(slug, text)
        meet()
        return position

    monkeypatch.setattr(diaries, "write", write_and_meet)
    monkeypatch.setattr(DiaryTopic, "ordered", staticmethod(list))
    slugs = (["work", "home"], ["home", "work"])
    results = run_together(
        *(lambda order=order: run(*(call_of(alice, slug, "x") for slug in order)) for order in slugs), as_ours=True
    )
    assert sorted(results) == [[1, 1], [2, 2]]


# From Python


def test_a_view_runs_a_call_with_the_same_checks(alice: Any, charlie: Any, published: list[Any]) -> None:
    assert DiaryTopic("work").add(alice, text="a")["position"] == 1
    assert DiaryTopic("work").add(alice, "b", 3) == {"position": 2, "by": "alice", "filler": "xxx"}
    for slug, user, code in (("work", charlie, "not_found"), ("nowhere", alice, "not_found")):
        with pytest.raises(Refused) as refused:
            DiaryTopic(slug).add(user, text="x")
        assert refused.value.code == code
    assert DiaryTopic("work").unchecked().add(charlie, text="c")["by"] == "charlie"
    assert published == [("t:diary/work", [number]) for number in (1, 2, 3)]


@pytest.mark.parametrize("given", [{"text": 7}, {"text": "a", "size": "3"}])
def test_a_view_with_an_argument_of_another_type_is_invalid(alice: Any, given: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        DiaryTopic("work").add(alice, **given)
    assert refused.value.code == "invalid"


@pytest.mark.parametrize(
    ("positional", "named"), [((), {}), (("a", 1, 2), {}), (("a",), {"text": "b"}), (("a",), {"more": 1})]
)
def test_a_view_that_calls_it_with_other_arguments_is_wrong(alice: Any, positional: Any, named: Any) -> None:
    with pytest.raises(TypeError):
        DiaryTopic("work").add(alice, *positional, **named)


def test_a_transaction_around_it_that_is_rolled_back_undoes_it(alice: Any, published: list[Any]) -> None:
    with transaction.atomic():
        assert DiaryTopic("work").add(alice, text="a")["position"] == 1
        transaction.set_rollback(True)
    assert pages("work") == []
