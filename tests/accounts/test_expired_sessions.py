"""Expired sessions are deleted, a few at a time; those that are in use, or have just been prolonged, stay."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models.signals import post_delete
from django.utils import timezone

from project.accounts import expired_sessions
from project.accounts.expired_sessions import STEP_ROWS, clear_expired_sessions, delete_step
from project.accounts.models import BrowserSession

pytestmark = pytest.mark.database


def make(count: int, *, days: int, name: str = "old") -> None:
    ends = timezone.now() + timedelta(days=days)
    Session.objects.bulk_create(
        Session(session_key=f"{name}{number:028}", session_data="", expire_date=ends) for number in range(count)
    )


@pytest.mark.django_db
def test_a_step_deletes_no_more_than_its_rows_and_none_that_are_in_use() -> None:
    make(2 * STEP_ROWS + 50, days=-1)
    make(3, days=1, name="new")
    assert [delete_step()[0] for _ in range(4)] == [STEP_ROWS, STEP_ROWS, 50, 0]
    assert Session.objects.count() == 3


@pytest.mark.django_db
def test_a_session_that_is_prolonged_after_it_was_found_stays() -> None:
    make(2, days=-1)

    def prolong(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith("DELETE"):
            key = "old" + "0" * 28
            Session.objects.filter(pk=key).update(expire_date=timezone.now() + timedelta(days=1))
        return execute(sql, *rest)

    with connection.execute_wrapper(prolong):
        assert delete_step()[0] == 1
    assert Session.objects.count() == 1


@pytest.mark.django_db
def test_no_signal_asks_about_the_sockets_of_thousands_of_users() -> None:
    make(10, days=-1)
    announced: list[object] = []

    def tell(**said: object) -> None:
        announced.append(said)

    post_delete.connect(tell, sender=Session)
    try:
        assert delete_step()[0] == 10
    finally:
        post_delete.disconnect(tell, sender=Session)
    assert announced == []


def test_notes_of_a_browser_go_with_its_expired_session(alice: Any) -> None:
    make(2, days=-1)
    make(1, days=1, name="new")
    for session in Session.objects.all():
        BrowserSession.objects.create(user=alice, session_key=session.pk, seen_at=timezone.now(), address="192.0.2.1")
    delete_step()
    assert [note.session_key for note in BrowserSession.objects.all()] == ["new" + "0" * 28]


async def test_sessions_without_a_table_are_left_to_their_engine(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.signed_cookies"
    monkeypatch.setattr(expired_sessions, "threads", None)
    await clear_expired_sessions()
