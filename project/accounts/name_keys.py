"""Keys of users who have none yet, or another name than when theirs was made: see `User.name_key`. Renames nobody."""

from collections.abc import Iterator
from typing import Any

from django.db import IntegrityError, transaction

from project.accounts.models import key_of

BATCH = 500  # Rows in one transaction: SQLite's other writers wait for it.


def fill_name_keys(users: Any) -> int:
    """Give each user of this model the key of their name, the oldest first. How many lack one then: look-alikes."""
    last: Any = None
    while batch := _batch_after(users, last):
        last = batch[-1][0]
        wanted = [(pk, name, key) for pk, name, kept in batch if (key := key_of(name)) != kept]
        taken = set(_rows(users).filter(name_key__in={key for *_, key in wanted}).values_list("name_key", flat=True))
        free: dict[str, tuple[Any, str]] = {}
        for pk, name, key in wanted:
            if key not in taken:
                free.setdefault(key, (pk, name))
        stale = [pk for pk, name, key in wanted if free.get(key, (None,))[0] != pk]
        try:
            with transaction.atomic():
                _rows(users).filter(pk__in=stale).update(name_key=None)
                for key, (pk, name) in free.items():
                    _rows(users).filter(pk=pk, username=name).update(name_key=key)
        except IntegrityError:  # Somebody signed up by one of these keys meanwhile.
            for key, (pk, name) in free.items():
                _fill_one(users, pk, name, key)
    missing: int = _rows(users).filter(name_key=None).count()
    return missing


def look_alikes(users: Any) -> Iterator[tuple[str, str | None]]:
    """The names without a key, and the names that have theirs; None: the key is free."""
    for name in _rows(users).filter(name_key=None).order_by("pk").values_list("username", flat=True):
        yield name, _rows(users).filter(name_key=key_of(name)).values_list("username", flat=True).first()


def _fill_one(users: Any, pk: Any, name: str, key: str) -> None:
    try:
        with transaction.atomic():
            _rows(users).filter(pk=pk, username=name).update(name_key=key)
    except IntegrityError:
        pass


def _batch_after(users: Any, last: Any) -> list[tuple[Any, str, str | None]]:
    rows = _rows(users) if last is None else _rows(users).filter(pk__gt=last)
    return list(rows.order_by("pk").values_list("pk", "username", "name_key")[:BATCH])


def _rows(users: Any) -> Any:
    return users._base_manager.all()
