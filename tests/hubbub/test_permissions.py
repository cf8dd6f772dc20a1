"""Permissions that are remembered: until a hint, for a bounded time and number of users."""

from collections.abc import Iterator
from typing import Any

import pytest

from hubbub.auth import has_permission, permissions

SEES, EDITS = "polls.view_poll", "polls.change_poll"


class Database:
    """The permissions of all users, and the reads of them."""

    def __init__(self) -> None:
        self.has = True
        self.reads: list[tuple[str, str]] = []

    def read(self, user_id: str, permission: str) -> bool:
        self.reads.append((user_id, permission))
        return self.has


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    made = Database()
    monkeypatch.setattr(permissions, "_read", made.read)
    permissions.forget(None)
    yield made
    permissions.forget(None)


def test_a_permission_is_read_once_and_again_after_a_hint_about_its_user(database: Database) -> None:
    for _ in range(3):
        assert has_permission("1", SEES)
        assert has_permission("1", EDITS)
        assert has_permission("2", SEES)
    assert database.reads == [("1", SEES), ("1", EDITS), ("2", SEES)]
    database.has = False
    permissions.forget(["1"])
    assert not has_permission("1", SEES)
    assert not has_permission("1", EDITS)
    assert has_permission("2", SEES)
    permissions.forget(None)
    assert not has_permission("2", SEES)


def test_it_is_read_again_after_a_time_and_the_oldest_users_are_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    monkeypatch.setattr(permissions.time, "monotonic", lambda: now)
    monkeypatch.setattr(permissions, "MAX_KNOWN", 3)
    for user_id in "12341":
        has_permission(user_id, SEES)
    assert [user_id for user_id, _ in database.reads] == ["1", "2", "3", "4", "1"]
    database.reads.clear()
    now = permissions.KNOWN_SECONDS - 1
    assert has_permission("1", SEES)
    assert database.reads == []
    now = permissions.KNOWN_SECONDS + 1
    assert has_permission("1", SEES)
    assert database.reads == [("1", SEES)]


def test_an_answer_that_a_hint_overtakes_is_not_kept(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    def overtaken(*arguments: Any) -> bool:
        answer = database.read(*arguments)
        permissions.forget(["1"])
        return answer

    with monkeypatch.context() as patched:
        patched.setattr(permissions, "_read", overtaken)
        has_permission("1", SEES)
    has_permission("1", SEES)
    assert len(database.reads) == 2
