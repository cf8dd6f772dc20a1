"""Deletes expired sessions in small steps, so that no post waits for the database's write lock.

A service of each web process. Two at once do no harm: on PostgreSQL they skip each other's rows, on SQLite a second
delete finds nothing. Session engines without a table expire by themselves.
"""

import asyncio
import logging
import random
import time
from typing import Any

from django.db import connection, transaction
from django.dispatch import Signal
from django.utils import timezone

from hubbub import threads
from hubbub.auth import sessions
from hubbub.protocol import Refused
from project.accounts import conf

logger = logging.getLogger(__name__)

STEP_ROWS = 200  # A few milliseconds of SQLite's write lock.
# The share of the writer thread: posts keep nine tenths of it, however slow the database is.
SHARE = 0.1
MIN_PAUSE_SECONDS = 0.01

# Sent in the transaction of each step, after the deletion. `keys`: the sessions that were found expired.
step_done = Signal()


async def clear_expired_sessions() -> None:
    """Delete expired sessions at intervals until cancelled."""
    if sessions.model() is None:
        return
    interval = conf.settings().expired_sessions_seconds
    await asyncio.sleep(random.uniform(0, interval))  # noqa: S311 - spreads the processes that start together
    while True:
        try:
            await _clear()
        except Refused:
            pass  # The database is unavailable, which the threads have logged; the next run deletes the sessions.
        await asyncio.sleep(interval)


async def _clear() -> None:
    deleted, steps, longest = 0, 0, 0.0
    while await threads.read(_is_any_expired):
        count, seconds = await threads.write(delete_step)
        if not count:
            break  # Another process deletes them.
        deleted, steps, longest = deleted + count, steps + 1, max(longest, seconds)
        await asyncio.sleep(max(MIN_PAUSE_SECONDS, seconds / SHARE))
    if deleted:
        logger.info("expired sessions: %d deleted in %d steps, longest step %.1f ms", deleted, steps, longest * 1000)


def delete_step() -> tuple[int, float]:
    """Delete at most STEP_ROWS expired sessions.

    Returns:
        The number of deleted sessions, and the seconds that their rows were locked.
    """
    with transaction.atomic():
        began = time.monotonic()
        expired = _expired().order_by("expire_date")
        if connection.features.has_select_for_update_skip_locked:
            expired = expired.select_for_update(skip_locked=True)
        keys = list(expired.values_list("pk", flat=True)[:STEP_ROWS])
        # One statement without signals: no socket depends on an expired session. It repeats the condition, so that a
        # session that a request has just extended stays.
        count: int = _expired().filter(pk__in=keys)._raw_delete(connection.alias) if keys else 0
        step_done.send(sessions.model(), keys=keys)
    return count, time.monotonic() - began


def _is_any_expired() -> bool:
    return bool(_expired().exists())


def _expired() -> Any:
    return sessions.model()._base_manager.filter(expire_date__lt=timezone.now())
