"""Long work in many short transactions, with time for other writers between them."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import DEFAULT_DB_ALIAS, connections

MAX_PAUSE_SECONDS = 0.1


@contextmanager
def step_with_pause(using: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """A context for one step. On SQLite a pause as long as the step follows, at most MAX_PAUSE_SECONDS.

    SQLite has no queue for its write lock: waiting writers poll, and without a pause the next step would win each time.

    Args:
        using: the alias of the database.
    """
    connection = connections[using]
    began = time.monotonic()
    yield
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        time.sleep(min(time.monotonic() - began, MAX_PAUSE_SECONDS))
