"""A service of each server process: saves first entries, and tells people's pages what changed in their states."""

import asyncio
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from django.db import Error as DatabaseError
from django.db import InterfaceError, close_old_connections, connections
from django.utils import timezone

from chat import read_signals, telling
from chat.models import database

logger = logging.getLogger(__name__)

TELL_SECONDS = 1.0  # A person's own posts are told once in this time.
# Between two looks for changes that nobody has told, such as those of a killed process or of a script.
SWEEP_SECONDS = 5.0
# Bans that ended while no process ran: pages that were open then come back.
BEFORE_START = timedelta(minutes=10)

_bans_read_until: datetime | None = None


async def run() -> None:
    """Save and tell until cancelled."""
    loop = asyncio.get_running_loop()
    woken = asyncio.Event()
    is_failing = False

    def wake() -> None:
        if not woken.is_set():
            loop.call_soon_threadsafe(woken.set)

    read_signals.add_waker(wake)
    executor = ThreadPoolExecutor(1, "chat-telling")
    try:
        while True:
            woken.clear()
            try:
                await loop.run_in_executor(executor, work)
            except (DatabaseError, InterfaceError) as error:
                if not is_failing:
                    logger.warning("read positions: not told, tried again each second: %r", error)
                is_failing = True
                woken.set()
            else:
                is_failing = False
            await asyncio.sleep(TELL_SECONDS)
            try:
                async with asyncio.timeout(SWEEP_SECONDS):
                    await woken.wait()
            except TimeoutError:
                pass
    finally:
        read_signals.remove_waker(wake)
        closed = loop.run_in_executor(executor, connections.close_all)
        executor.shutdown(wait=False)  # A database that hangs does not hold up the loop, which still serves.
        await asyncio.shield(closed)


def work() -> None:
    """Save entries, then tell all changes, in short transactions. Synchronous."""
    global _bans_read_until
    try:
        telling.save_entries()
        now = timezone.now()
        telling.note_ended_bans(_bans_read_until or now - BEFORE_START, now)
        _bans_read_until = now
        while telling.has_untold() and telling.tell_changes():
            pass
        close_old_connections()
    except (DatabaseError, InterfaceError):
        connections[database()].close()
        raise
