"""Positions of topics: in transactions of every kind, and by rows that topics follow."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core import serializers
from django.db import OperationalError, connection, transaction
from django.test.utils import CaptureQueriesContext

from hubbub import changed_many, publish
from hubbub.models import TopicPosition
from hubbub.topics import reading, recovery
from tests.support.polls.models import Note, PinnedNote, Poll
from tests.support.polls.topics import BoardTopic
from tests.support.polls.trials import ShelfTopic
from tests.support.together import meeting, run_together

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]


@pytest.fixture(autouse=True)
def viewers(alice: Any, bob: Any) -> None:
    for user in (alice, bob):
        user.user_permissions.add(Permission.objects.get(codename="view_poll"))


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[str, int]]]:
    """(group, position) of each notice that was published."""
    notices: list[tuple[str, int]] = []
    put = publish.process_sender.put

    def note(message: Any, **more: Any) -> None:
        if isinstance(message, publish.messages.Reached):
            notices.append((message.group, message.position))
        put(message, **more)

    monkeypatch.setattr(publish.process_sender, "put", note)
    return notices


def position(address: str) -> int:
    return TopicPosition.objects.filter(address=address).values_list("position", flat=True).first() or 0


def taken(*keys: int) -> list[int]:
    return [position(f"shelf/{key}") for key in keys]


# Transactions


@contextmanager
def rolled_back() -> Iterator[None]:
    """A transaction, or a savepoint, that is rolled back at its end."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_a_change_outside_a_transaction_is_published_at_once(sent: list[tuple[str, int]]) -> None:
    ShelfTopic(1).changed()
    ShelfTopic(1).changed()
    assert sent == [("t:shelf/1", 1), ("t:shelf/1", 2)]


def test_a_savepoint_that_is_rolled_back_takes_its_position_with_it(sent: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        ShelfTopic(1).changed()
        with rolled_back():
            ShelfTopic(1).changed()
            ShelfTopic(2).changed()
        with transaction.atomic():
            ShelfTopic(3).changed()
        assert sent == []
    assert sent == [("t:shelf/1", 1), ("t:shelf/3", 1)]
    assert taken(1, 2, 3) == [1, 0, 1]


def test_an_outer_transaction_that_is_rolled_back_undoes_a_command(alice: Any, sent: list[tuple[str, int]]) -> None:
    with rolled_back():
        ShelfTopic(1).put(alice, "Tea", id="a")
        assert taken(1) == [1]
    assert (taken(1), sent, Note.objects.count()) == ([0], [], 0)
    assert ShelfTopic(1).put(alice, "Tea", id="a") == {"count": 1}
    assert (taken(1), sent) == ([1], [("t:shelf/1", 1)])


def test_a_command_within_a_command_takes_its_positions_with_the_outer_one(
    alice: Any, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, int]]
) -> None:
    inner = ShelfTopic(1)
    monkeypatch.setattr(ShelfTopic, "between", lambda self: self.key == 2 and inner.swap(alice, 2))
    with CaptureQueriesContext(connection) as queries:
        ShelfTopic(2).swap(alice, 3)
    statements = [query["sql"] for query in queries if "INSERT INTO" in query["sql"]]
    assert len(statements) == 1
    assert statements[0].index("shelf/1") < statements[0].index("shelf/2") < statements[0].index("shelf/3")
    assert sorted(sent) == [("t:shelf/1", 1), ("t:shelf/2", 1), ("t:shelf/3", 1)]


def test_a_change_of_access_is_taken_with_the_positions(
    alice: Any, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, int]]
) -> None:
    """In one statement, sorted: two commands that change both meet no deadlock."""
    monkeypatch.setattr(ShelfTopic, "between", lambda self: [ShelfTopic(key).access_changed() for key in (2, 3)])
    with CaptureQueriesContext(connection) as queries:
        ShelfTopic(2).swap(alice, 1)
    assert sum("INSERT INTO" in query["sql"] for query in queries) == 1
    assert [*TopicPosition.objects.order_by("address").values_list("address", "position", "access_version")] == [
        ("shelf/1", 1, 0),
        ("shelf/2", 1, 1),
        ("shelf/3", 0, 1),
    ]
    ShelfTopic(1).access_changed()
    assert reading.read_positions(recovery.find, ["t:shelf/1"])["t:shelf/1"].access == 1
    assert sorted(sent) == [("t:shelf/1", 1), ("t:shelf/2", 1)]


def test_a_savepoint_that_a_command_rolls_back_takes_no_position(
    alice: Any, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, int]]
) -> None:
    def change_and_roll_back() -> None:
        with rolled_back():
            ShelfTopic(3).changed()
            ShelfTopic(1).changed()
            with transaction.atomic():
                ShelfTopic(4).access_changed()
        with transaction.atomic():
            ShelfTopic(5).changed()

    monkeypatch.setattr(ShelfTopic, "between", staticmethod(change_and_roll_back))
    ShelfTopic(1).swap(alice, 2)
    assert [*TopicPosition.objects.order_by("address").values_list("address", "position", "access_version")] == [
        ("shelf/1", 1, 0),
        ("shelf/2", 1, 0),
        ("shelf/5", 1, 0),
    ]
    assert sorted(sent) == [("t:shelf/1", 1), ("t:shelf/2", 1), ("t:shelf/5", 1)]


def test_a_thread_that_a_command_starts_marks_for_the_command(
    alice: Any, monkeypatch: pytest.MonkeyPatch, sent: list[tuple[str, int]]
) -> None:
    """It has the context of the command, and a connection of its own."""

    def change_in_thread() -> None:
        assert run_together(partial(copy_context().run, ShelfTopic(3).changed)) == [None]
        assert sent == []

    monkeypatch.setattr(ShelfTopic, "between", staticmethod(change_in_thread))
    ShelfTopic(1).swap(alice, 2)
    assert (taken(1, 2, 3), len(sent)) == ([1, 1, 1], 3)


def test_a_log_takes_its_position_only_in_a_transaction() -> None:
    with pytest.raises(transaction.TransactionManagementError):
        BoardTopic("plan").next_position()
    with rolled_back():
        assert BoardTopic("plan").next_position() == 1
    with transaction.atomic():
        assert [BoardTopic("plan").next_position() for _ in range(3)] == [1, 2, 3]


def test_many_topics_take_their_positions_in_few_statements(sent: list[tuple[str, int]]) -> None:
    with CaptureQueriesContext(connection) as queries:
        changed_many(ShelfTopic(key) for key in [*range(1, 1201), *range(1, 1201)])
    assert sum("INSERT INTO" in query["sql"] for query in queries) == 3
    assert {at for _, at in sent} == {1}
    assert TopicPosition.objects.count() == len(sent) == 1200


def test_topics_changed_in_opposite_order_by_two_commands_meet_no_deadlock(
    alice: Any, bob: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    for _ in range(5):
        meet = meeting(0.1)
        monkeypatch.setattr(ShelfTopic, "between", staticmethod(meet))
        results = run_together(lambda: ShelfTopic(1).swap(alice, 2), lambda: ShelfTopic(2).swap(bob, 1), as_ours=True)
        assert results == [None, None]
    assert taken(1, 2) == [10, 10]
    assert "deadlock" not in caplog.text


@pytest.mark.parametrize("as_ours", [False, True], ids=["in a view", "in a thread of the engine"])
def test_a_command_that_meets_a_deadlock_is_run_once_more(
    alice: Any, bob: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, as_ours: bool
) -> None:
    caplog.set_level(logging.INFO)
    first, second = (Poll.objects.create(question=text).pk for text in ("a", "b"))
    monkeypatch.setattr(ShelfTopic, "between", staticmethod(meeting()))
    results = run_together(
        lambda: ShelfTopic(1).touch(alice, first, second),
        lambda: ShelfTopic(1).touch(bob, second, first),
        as_ours=as_ours,
    )
    assert results == [None, None]
    assert taken(1) == [2]
    assert caplog.text.count("run again") == (1 if connection.vendor == "postgresql" else 0)


def test_a_deadlock_in_an_outer_transaction_rolls_that_one_back(caplog: pytest.LogCaptureFixture) -> None:
    meet = meeting()

    def change(first: int, second: int) -> None:
        with transaction.atomic():
            ShelfTopic(first).changed()
            meet()
            ShelfTopic(second).changed()

    results = run_together(lambda: change(1, 2), lambda: change(2, 1))
    failures = [result for result in results if result is not None]
    assert all(isinstance(failure, OperationalError) for failure in failures)
    assert len(failures) == (1 if connection.vendor == "postgresql" else 0)
    assert taken(1, 2) == [2 - len(failures)] * 2


def test_a_key_that_is_used_again_counts_on() -> None:
    poll = Poll.objects.create(question="Tea?")
    poll.save()
    key, before = poll.pk, position(f"poll/{poll.pk}")
    poll.delete()
    Poll.objects.create(pk=key, question="Coffee?")
    assert before == 2
    assert position(f"poll/{key}") == before + 2


# Rows that topics follow


def test_rows_that_are_added_saved_moved_and_deleted_change_their_topics() -> None:
    note = Note.objects.create(board="1", position=1, text="a")
    assert taken(1, 2) == [1, 0]
    note.text = "b"
    note.save()
    assert taken(1, 2) == [2, 0]
    note.board = "2"
    note.save()
    assert taken(1, 2) == [3, 1]
    # An object that was never read, with the key of a row.
    Note(pk=note.pk, board="1", position=1, text="c").save()
    assert taken(1, 2) == [4, 2]
    Note.objects.get(pk=note.pk).delete()
    assert taken(1, 2) == [5, 2]


def test_a_row_without_a_topic_changes_none() -> None:
    note = Note.objects.create(board="plan", position=1, text="a")
    note.save()
    note.delete()
    assert not TopicPosition.objects.exists()


def test_a_fixture_changes_no_topic_and_bulk_changes_are_told_by_hand() -> None:
    note = Note(pk=7, board="1", position=1, text="a")
    for row in serializers.deserialize("json", serializers.serialize("json", [note])):
        row.save()
    Note.objects.filter(pk=7).update(text="b")
    assert (Note.objects.count(), taken(1)) == (1, [0])
    changed_many([ShelfTopic(1)])
    assert taken(1) == [1]


def test_a_proxy_is_followed_as_its_model() -> None:
    PinnedNote.objects.create(board="1", position=1, text="a")
    assert taken(1) == [1]
