"""Deletes the old answers of commands with one effect: a service of each server process."""

import asyncio
import random

from hubbub import threads
from hubbub.process.log_once import LogOnce
from hubbub.process.periodic import Periodic
from hubbub.protocol import Refused
from hubbub.topics.once import clear_step
from hubbub.topics.topic import topics

PAUSE_SECONDS = 0.1
CLEAR_SECONDS = 3600.0


async def clear_once() -> None:
    """A service: delete old rows every hour, in short transactions, until cancelled."""
    await asyncio.sleep(random.uniform(0, CLEAR_SECONDS))  # noqa: S311 - spreads the processes that start together
    log = LogOnce("topics: deleting old answers failed")
    await Periodic(_clear_all, seconds=CLEAR_SECONDS, log=log, quiet=(Refused,)).run()


async def _clear_all() -> None:
    for database in {topic.database for topic in topics().values()}:
        while await threads.write(clear_step, database):  # noqa: ASYNC110 - each round deletes rows
            await asyncio.sleep(PAUSE_SECONDS)
