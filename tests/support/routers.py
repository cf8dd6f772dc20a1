"""Routers of tests, and databases beside the first: users in one, an old copy of it as the replica that reads go to."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connections

PEOPLE, REPLICA = "people", "replica"
OF_USERS = {"accounts", "auth", "contenttypes", "sessions", "chat"}


class People:
    """Users, sessions, tokens and the chat, which refers to users, are in a database of their own."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return self._alias(model)

    def db_for_write(self, model: Any, **_: Any) -> str | None:
        return self._alias(model)

    def allow_relation(self, first: Any, second: Any, **_: Any) -> bool:
        return self._alias(first) == self._alias(second)

    def _alias(self, model: Any) -> str | None:
        is_theirs = model._meta.app_label in OF_USERS or model._meta.label == "hubbub.AccessToken"
        return PEOPLE if is_theirs else None


class Lagging(People):
    """All of them are read from the replica."""

    def db_for_read(self, model: Any, **_: Any) -> str | None:
        return self._alias(model) and REPLICA


@contextmanager
def databases(folder: Path, settings: Any) -> Iterator[None]:
    """Both databases in files of SQLite, with tables. Django's tests refuse connections that they do not know."""
    for alias in (PEOPLE, REPLICA):
        own = {"ENGINE": "django.db.backends.sqlite3", "NAME": folder / f"{alias}.sqlite3"}
        connections.settings[alias] = connections.configure_settings({"default": {}, alias: own})[alias]
        connections[alias].connect()
        with connections[alias].schema_editor() as editor:
            for model in apps.get_models(include_auto_created=False):
                if People()._alias(model) and not model._meta.proxy:
                    editor.create_model(model)
    settings.DATABASE_ROUTERS = ["tests.support.routers.Lagging"]
    try:
        yield
    finally:
        settings.DATABASE_ROUTERS = []
        for alias in (PEOPLE, REPLICA):
            connections[alias].close()
            del connections[alias]
            del connections.settings[alias]


def copy_to_replica() -> None:
    """Make the replica what the first database is now."""
    connections[PEOPLE].connection.backup(connections[REPLICA].connection)
