"""Sessions as they are on record, many by one query. Reads only: a socket cannot give a browser a new cookie."""

import functools
from collections.abc import Collection
from datetime import datetime
from importlib import import_module
from typing import Any

from django.conf import settings
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from hubbub.rows import rows_by


class Kept:
    """One session that has not expired. `text`: what is kept, as it is; it changes with what it says."""

    __slots__ = ("_values", "expires_at", "text")

    def __init__(self, text: str, expires_at: datetime | None, values: dict[str, Any] | None = None) -> None:
        self.text = text
        self.expires_at = expires_at
        self._values = values

    def values(self) -> dict[str, Any]:
        """What it says; empty when it was not written by us. Worked out at each call."""
        if self._values is not None:
            return self._values
        decoded: dict[str, Any] = store()().decode(self.text)
        return decoded


def store() -> Any:
    """The class of the configured session engine."""
    return import_module(settings.SESSION_ENGINE).SessionStore


def model() -> Any:
    """The model behind the engine; None for one that keeps its sessions elsewhere."""
    return _model_of(settings.SESSION_ENGINE)


@functools.cache
def _model_of(engine: str) -> Any:
    find = getattr(import_module(engine).SessionStore, "get_model_class", None)
    return find() if find is not None else None


@sensitive_variables()
def read_sessions(keys: Collection[str]) -> dict[str, Kept]:
    """Those of the sessions that exist and have not expired, by key.

    From the database itself, also where the engine has a cache before it: what was ended there may live on in that.
    """
    kept = model()
    if kept is None:
        return _load_one_by_one(keys)
    # No key of Django's otherwise, and nothing that a database should be asked for.
    wanted = [key for key in keys if key.isascii() and key.isalnum()]
    now = timezone.now()
    return {
        row.session_key: Kept(row.session_data, row.expire_date)
        for row in rows_by(kept, session_key=wanted)
        if row.expire_date > now
    }


@sensitive_variables()
def _load_one_by_one(keys: Collection[str]) -> dict[str, Kept]:
    found = {}
    for key in keys:
        session = store()(key)
        if values := dict(session.items()):
            # When it ends is known only to where it is kept.
            found[key] = Kept(repr(sorted(values.items())), None, values)
    return found
