"""Runs in each server process: reports the process's own reading once an interval."""

from monitor import conf
from monitor.readings import ProcessReader
from monitor.schedule import repeat
from monitor.store import store

# Reported this part of an interval before the sample is made, so that the sample has fresh readings.
AHEAD = 0.25


async def run() -> None:
    """For the life of the process."""
    reader = ProcessReader()
    interval = conf.settings().sample_seconds

    async def report() -> None:
        await store().report(reader.read())

    await repeat(report, period=interval, phase=(1 - AHEAD) * interval, name="process reporter")
