"""Runs in each server process: reports the reading of the process once per interval."""

from monitor import conf
from monitor.schedule import repeat
from monitor.store import store

# The part of an interval by which reports precede the sample, so that it has fresh readings.
AHEAD = 0.25


async def run() -> None:
    """Report until cancelled."""
    from monitor.readings import ProcessReader  # It needs psutil; the route beside this service does not.

    reader = ProcessReader()
    interval = conf.settings().sample_seconds

    async def report() -> None:
        await store().report(reader.read())

    await repeat(report, period=interval, phase=(1 - AHEAD) * interval, name="process reporter")
