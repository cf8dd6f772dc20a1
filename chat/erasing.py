"""A service of each server process: erases the hashes of deleted texts after their minute, also after a restart."""

import asyncio
import logging

from channels.db import database_sync_to_async
from django.db import Error as DatabaseError

from chat.restoring import forget_step

logger = logging.getLogger(__name__)

FORGET_SECONDS = 5.0


async def forget_erased_texts() -> None:
    """Erase them every few seconds until cancelled."""
    forget = database_sync_to_async(forget_step)
    is_away = False
    while True:
        try:
            while await forget():
                pass
            is_away = False
        except DatabaseError:
            if not is_away:
                logger.warning("erasing: the hashes of deleted texts stay for now, the database is unavailable")
            is_away = True
        await asyncio.sleep(FORGET_SECONDS)
