"""Keys of users who have none yet, or another name than when theirs was made: see `User.name_key`. Renames nobody."""

from collections.abc import Iterator
from typing import Any

from django.db import IntegrityError, transaction

from hubbub.steps import in_step
from project.accounts.models import key_of

BATCH = 100  # Rows in one transaction: SQLite's other writers wait for it.

Row = tuple[Any, str, str | None]  # Primary key, name, key.


def fill_name_keys(users: Any) -> int:
    """Give each user of this model the key of their name, the oldest first. How many lack one then: look-alikes."""
    while _fill_all(users):
        pass  # A key that somebody else had may be its owner's now.
    missing: int = _rows(users).filter(name_key=None).count()
    return missing


def look_alikes(users: Any) -> Iterator[tuple[str, str | None]]:
    """The names without a key, and the names that have theirs; None: the key is free."""
    for name in _rows(users).filter(name_key=None).order_by("pk").values_list("username", flat=True):
        yield name, _rows(users).filter(name_key=key_of(name)).values_list("username", flat=True).first()


def with_other_keys(users: Any, most: int) -> Iterator[str]:
    """Those of the newest users who have the key of another name: renamed by the release before, or past the model."""
    newest = _rows(users).order_by("-pk").values_list("username", "name_key")[:most]
    for name, kept in newest.iterator():
        if kept is not None and kept != key_of(name):
            yield name


def _fill_all(users: Any) -> bool:
    """Whether a key was taken from somebody."""
    last: Any = None
    is_any_freed = False
    while True:
        with in_step():
            batch = _batch_after(users, last)
            if not batch:
                return is_any_freed
            last = batch[-1][0]
            is_any_freed |= _fill(users, [row for row in batch if row[2] != key_of(row[1])])


def _fill(users: Any, wanting: list[Row]) -> bool:
    """For some users who have none, or that of another name."""
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
    except IntegrityError:  # Somebody signed up by one of these keys meanwhile.
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
    """Unless the user was renamed, or given a key, since they were read."""
    pk, name, kept = row
    changed: int = _rows(users).filter(pk=pk, username=name, name_key=kept).update(name_key=key)
    return changed


def _batch_after(users: Any, last: Any) -> list[Row]:
    rows = _rows(users) if last is None else _rows(users).filter(pk__gt=last)
    return list(rows.order_by("pk").values_list("pk", "username", "name_key")[:BATCH])


def _rows(users: Any) -> Any:
    return users._base_manager.all()
