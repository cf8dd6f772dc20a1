"""Limits and connections that a release gives to its migrations."""

from typing import Any

import pytest
from django.db import connection

from hubbub.process.thread_connections import POSTGRESQL_LIMITS
from hubbub.supervisor import release

pytestmark = [pytest.mark.database, pytest.mark.django_db(transaction=True)]

NAMES = tuple(POSTGRESQL_LIMITS)


def asked(query: str) -> Any:
    with connection.cursor() as cursor:
        return cursor.execute(query).fetchone()[0]


def test_a_migration_goes_by_its_own_limits_on_a_connection_that_posts_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pooler in transaction mode hands on server connections with all that was set on them."""
    if connection.vendor != "postgresql":
        return
    statements: list[list[str]] = []

    def migrate(*_: Any, **__: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("; ".join(f"SET {name} = '{value}'" for name, value in POSTGRESQL_LIMITS.items()))
        try:
            with connection.schema_editor(atomic=True):
                statements.append([asked(f"SHOW {name}") for name in NAMES])
            statements.append([asked(f"SHOW {name}") for name in NAMES])
        finally:
            with connection.cursor() as cursor:
                cursor.execute("; ".join(f"RESET {name}" for name in NAMES))

    monkeypatch.setattr(release, "call_command", migrate)
    monkeypatch.setattr(release, "install_static_files", lambda **_: None)
    release.release(report=print)
    assert statements == [["200ms", "0", "0"], ["1500ms", "4s", "5s"]]
