"""Reads of the engine's threads use the databases that are written to, never a replica of the site's routers. A leaf.

A replica lags: a state read from one would miss changes below its position, and a revoked user would stay.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import router


class _Thread(threading.local):
    is_primary = False


_thread = _Thread()


class PrimaryReads:
    """A router before those of the site. It has an answer in the engine's threads only."""

    def db_for_read(self, model: Any, **hints: Any) -> str | None:
        return router.db_for_write(model, **hints) if _thread.is_primary else None


_PRIMARY = PrimaryReads()


def install() -> None:
    """Add the router, unless the site has no routers. A second call does nothing."""
    routers = router.routers
    if routers and _PRIMARY not in routers:
        routers.insert(0, _PRIMARY)


def in_this_thread() -> None:
    """Read from the primary in this thread, from now on."""
    install()
    _thread.is_primary = True


@contextmanager
def reading() -> Iterator[None]:
    """A context that reads from the primary, for code in other threads."""
    install()
    before, _thread.is_primary = _thread.is_primary, True
    try:
        yield
    finally:
        _thread.is_primary = before
