"""publish() in a transaction waits for the commit, on any database; a rollback publishes nothing."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection, connections, transaction
from django.db.transaction import TransactionManagementError

from hubbub.protocol import ServiceChanged
from hubbub.publish import (
    process_sender,
    publish,
    publish_access_changed,
    publish_end,
    publish_in_order,
    publish_users_changed,
)
from hubbub.publish.messages import Message, OneFrame

pytestmark = pytest.mark.django_db(transaction=True)

GROUP = "room.general"
OTHER = "other"


class Undo(Exception):
    pass


@contextmanager
def rolled_back(using: str = "default") -> Iterator[None]:
    try:
        with transaction.atomic(using=using):
            yield
            raise Undo
    except Undo:
        pass


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The messages on their way to Redis, by text where they have one."""
    messages: list[Any] = []

    def put(message: Message, *, now: bool) -> None:
        messages.append(message.text if isinstance(message, OneFrame) else message)

    monkeypatch.setattr(process_sender, "put", put)
    monkeypatch.setattr(process_sender, "put_recheck", lambda group, user_ids: messages.append((group, user_ids)))
    return messages


@pytest.fixture
def other(tmp_path: Any) -> Iterator[str]:
    """A second database."""
    connections.settings[OTHER] = connections.settings["default"] | {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": str(tmp_path / "other.sqlite3"),
        "OPTIONS": {},
    }
    connections[OTHER].connect()
    yield OTHER
    connections[OTHER].close()
    del connections[OTHER]
    del connections.settings[OTHER]


def test_without_a_transaction_it_is_sent_at_once(sent: list[Any]) -> None:
    publish(GROUP, "one")
    assert sent == ["one"]


def test_in_a_transaction_it_is_sent_after_the_commit_in_order(sent: list[Any]) -> None:
    with transaction.atomic():
        publish(GROUP, "one")
        with transaction.atomic():
            publish(GROUP, "two")
        publish(GROUP, "three")
        assert sent == []
    assert sent == ["one", "two", "three"]


def test_a_rolled_back_frame_is_not_sent_and_hides_no_later_version(sent: list[Any]) -> None:
    with rolled_back():
        publish(GROUP, "phantom", version=9)
    publish(GROUP, "real", version=2)
    assert sent == ["real"]


def test_a_savepoint_that_is_rolled_back_takes_only_its_own_with_it(sent: list[Any]) -> None:
    with transaction.atomic():
        publish(GROUP, "before")
        with rolled_back():
            publish(GROUP, "phantom")
        publish(GROUP, "after")
    assert sent == ["before", "after"]


def test_everything_that_publishes_waits(sent: list[Any]) -> None:
    with transaction.atomic():
        publish_in_order(GROUP, [(1, "a"), (2, "b")])
        publish_end(GROUP, ServiceChanged(state="ok"), user_ids=[1])
        publish_access_changed(GROUP)
        publish_users_changed([1])
        assert sent == []
    assert len(sent) == 4


def test_publish_now_does_not_wait_for_the_commit(sent: list[Any]) -> None:
    with rolled_back():
        publish(GROUP, "sample", now=True)
    assert sent == ["sample"]


def test_on_another_database_it_waits_as_well(sent: list[Any], other: str) -> None:
    with rolled_back(other):
        publish(GROUP, "phantom")
    with transaction.atomic(using=other):
        publish(GROUP, "one")
        assert sent == []
    assert sent == ["one"]


@pytest.mark.parametrize("outer", ["default", OTHER])
def test_in_transactions_on_two_databases_it_waits_for_both(sent: list[Any], other: str, outer: str) -> None:
    inner = OTHER if outer == "default" else "default"
    with transaction.atomic(using=outer):
        with transaction.atomic(using=inner):
            publish(GROUP, "one")
        assert sent == []
    assert sent == ["one"]
    # Of the two it is enough that one is rolled back, whichever.
    with rolled_back(outer), transaction.atomic(using=inner):
        publish(GROUP, "phantom of the outer")
    with transaction.atomic(using=outer), rolled_back(inner):
        publish(GROUP, "phantom of the inner")
    assert sent == ["one"]


def test_a_failure_after_the_commit_does_not_reach_the_caller(sent: list[Any], monkeypatch: Any, caplog: Any) -> None:
    def fail(_: object, *, now: bool) -> None:
        raise OSError("no way")

    monkeypatch.setattr(process_sender, "put", fail)
    with transaction.atomic():
        publish(GROUP, "one")
    assert "no way" in caplog.text


def test_a_thread_has_its_own_transactions(sent: list[Any]) -> None:
    with transaction.atomic():
        thread = threading.Thread(target=publish, args=(GROUP, "of the thread"))
        thread.start()
        thread.join()
        assert sent == ["of the thread"]


async def test_async_code_sends_at_once_and_its_threads_wait(sent: list[Any]) -> None:
    def change() -> None:
        try:
            with transaction.atomic():
                publish(GROUP, "of the thread")
                assert sent == ["of the coroutine"]
        finally:
            connections.close_all()

    publish(GROUP, "of the coroutine")
    await asyncio.to_thread(change)
    assert sent == ["of the coroutine", "of the thread"]


def test_a_transaction_that_is_managed_by_hand_is_an_error_unless_told_otherwise(sent: list[Any]) -> None:
    transaction.set_autocommit(False)
    try:
        with pytest.raises(TransactionManagementError, match="now=True"):
            publish(GROUP, "one")
        connection.commit()
        publish(GROUP, "two", now=True)
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert sent == ["two"]
