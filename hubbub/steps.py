"""Work that is done in many short transactions, with room for others between them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

MAX_PAUSE_SECONDS = 0.1


@contextmanager
def in_step() -> Iterator[None]:
    """One step; on SQLite, which has one writer and no queue for it, a pause as long as the step follows.

    Without a pause the next step takes the lock again before others, who look for it now and then, find it free.
    """
    began = time.monotonic()
    yield
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        time.sleep(min(time.monotonic() - began, MAX_PAUSE_SECONDS))
