"""Fills missing and outdated name keys: see `User.name_key`. Renames no user."""

from collections.abc import Iterator
from typing import Any

from django.db import IntegrityError, transaction

from hubbub.process.steps import step_with_pause
from project.accounts.models import key_of

BATCH = 100  # Rows in one transaction, for which SQLite's other writers wait.

Row = tuple[Any, str, str | None]  # Primary key, name, key.


def fill_name_keys(users: Any) -> int:
    """Give each user the key of their name, the oldest first. Returns the number of look-alikes that stay without."""
    while _fill_all(users):
        pass  # A key that one pass freed may be given to its owner in the next.
    missing: int = _rows(users).filter(name_key=None).count()
    return missing


def look_alikes(users: Any) -> Iterator[tuple[str, str | None]]:
    """The names without a key, each with the name that has its key; None: the key is free."""
    for name in _rows(users).filter(name_key=None).order_by("pk").values_list("username", flat=True):
        yield name, _rows(users).filter(name_key=key_of(name)).values_list("username", flat=True).first()


def with_other_keys(users: Any, count: int) -> Iterator[str]:
    """The names, among the `count` newest users, that have the key of another name: renamed without the model."""
    newest = _rows(users).order_by("-pk").values_list("username", "name_key")[:count]
    for name, key in newest.iterator():
        if key is not None and key != key_of(name):
            yield name


def _fill_all(users: Any) -> bool:
    """One pass over all users. True: a wrong key was freed."""
    last: Any = None
    is_any_freed = False
    while True:
        with step_with_pause():
            batch = _batch_after(users, last)
            if not batch:
                return is_any_freed
            last = batch[-1][0]
            is_any_freed |= _fill(users, [row for row in batch if row[2] != key_of(row[1])])


def _fill(users: Any, wanting: list[Row]) -> bool:
    """Set the keys of users without a key or with the key of another name."""
    if not wanting:
        return False
    keys = {key_of(name) for _, name, _ in wanting}
    taken = set(_rows(users).filter(name_key__in=keys).values_list("name_key", flat=True))
    wrong = [row for row in wanting if row[2] is not None]
    free: dict[str, Row] = {}
    for row in wanting:
        if (key := key_of(row[1])) not in taken:
            free.setdefault(key, row)
    with transaction.atomic():
        freed = [_change(users, row, None) for row in wrong]
    try:
        with transaction.atomic():
            for key, row in free.items():
                _change(users, (*row[:2], None), key)
    except IntegrityError:  # A sign-up has just taken one of these keys.
        for key, row in free.items():
            _fill_one(users, row, key)
    return any(freed)


def _fill_one(users: Any, row: Row, key: str) -> None:
    try:
        with transaction.atomic():
            _change(users, (*row[:2], None), key)
    except IntegrityError:
        pass


def _change(users: Any, row: Row, key: str | None) -> int:
    """Set the key unless the name or the key has changed since the read."""
    pk, name, old_key = row
    changed: int = _rows(users).filter(pk=pk, username=name, name_key=old_key).update(name_key=key)
    return changed


def _batch_after(users: Any, last: Any) -> list[Row]:
    rows = _rows(users) if last is None else _rows(users).filter(pk__gt=last)
    return list(rows.order_by("pk").values_list("pk", "username", "name_key")[:BATCH])


def _rows(users: Any) -> Any:
    return users._base_manager.all()
