"""Topics whose positions are on another database than the rows that they show."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connections, transaction

from hubbub import publish
from hubbub.models import TopicEpoch, TopicPosition
from tests.support.polls.models import Note, Poll
from tests.support.polls.topics import PollTopic
from tests.support.polls.trials import ShelfTopic

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.database,
    pytest.mark.usefixtures("ended_threads"),
]

ALIAS = "elsewhere"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A second database, in a file of SQLite, with the positions of shelves; the notes on them stay in the first."""
    own = {"ENGINE": "django.db.backends.sqlite3", "NAME": tmp_path / "elsewhere.sqlite3"}
    configured = connections.configure_settings({"default": {}, ALIAS: own})
    monkeypatch.setitem(connections.settings, ALIAS, configured[ALIAS])
    connections[ALIAS].connect()  # By hand: Django's tests refuse databases that were not there at their start.
    with connections[ALIAS].schema_editor() as editor:
        editor.create_model(TopicPosition)
        editor.create_model(TopicEpoch)
    monkeypatch.setattr(ShelfTopic, "database", ALIAS)
    yield
    connections[ALIAS].close()
    del connections[ALIAS]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """(group, position) of each notice that was published."""
    notices: list[tuple[str, int]] = []
    monkeypatch.setattr(
        publish.process_sender, "put", lambda message, **_: notices.append((message.group, message.position))
    )
    return notices


def taken(key: int) -> int:
    """The position of a shelf as others read it."""
    rows = TopicPosition.objects.using(ALIAS).filter(address=f"shelf/{key}")
    return rows.values_list("position", flat=True).first() or 0


def test_the_position_is_taken_after_the_row_that_it_stands_for_is_committed(sent: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        Note.objects.create(board="1", position=1, text="a")
        assert (taken(1), sent) == (0, [])
    assert (taken(1), sent) == (1, [("t:shelf/1", 1)])
    with transaction.atomic(), transaction.atomic(using=ALIAS):
        Note.objects.create(board="1", position=2, text="b")
    assert taken(1) > 1
    assert sent[1:] == [("t:shelf/1", taken(1))]


def test_a_row_that_is_rolled_back_takes_no_position(sent: list[tuple[str, int]]) -> None:
    with transaction.atomic():
        with transaction.atomic():
            Note.objects.create(board="1", position=1, text="a")
            transaction.set_rollback(True)
        ShelfTopic(2).changed()
    assert (taken(1), taken(2), sent) == (0, 1, [("t:shelf/2", 1)])


def test_a_change_of_the_topics_own_database_has_its_position_with_it(sent: list[tuple[str, int]]) -> None:
    """Whether the other transaction is committed later or not."""
    with transaction.atomic():
        with transaction.atomic(using=ALIAS):
            ShelfTopic(1).changed()
        assert (taken(1), sent) == (1, [])
        transaction.set_rollback(True)
    assert (taken(1), sent) == (1, [])


def test_a_command_takes_positions_of_another_database_after_its_commit(
    alice: Any, sent: list[tuple[str, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    alice.user_permissions.add(*Permission.objects.filter(codename__in=["view_poll", "add_vote"]))
    poll = Poll.objects.create(question="Tea?")
    option = poll.options.create(text="yes")
    sent.clear()
    seen = []

    def vote_and_change(self: PollTopic, user: Any) -> bool:
        ShelfTopic(1).changed()
        return True

    with monkeypatch.context() as patched:
        patched.setattr(PollTopic, "may_view", vote_and_change)
        take = publish.commits.after_commit
        patched.setattr("hubbub.topics.marks.after_commit", lambda do: (seen.append(taken(1)), take(do)))
        PollTopic(poll.pk).vote(alice, option.pk)
    assert seen == [0]
    assert taken(1) == 1
    assert ("t:shelf/1", 1) in sent
