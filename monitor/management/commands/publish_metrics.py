"""`manage.py publish_metrics`: report this host and, while no other publisher leads, publish the samples."""

import asyncio
import signal
from argparse import ArgumentTypeError
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hubbub import site
from hubbub.process.this_process import PROCESS
from hubbub.site.lease import REFUSALS, claim_at_start, hold
from monitor import conf
from monitor.publisher import Publisher
from monitor.readings import CPU_SOURCES, HostReader
from monitor.schedule import cancel
from monitor.store import Store, connect


class Command(BaseCommand):
    help = "Publish samples of this host and of all server processes at a fixed interval, until stopped."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--source",
            choices=sorted(CPU_SOURCES),
            default="psutil",
            help="Source of CPU readings: psutil (real) or demo (random values for a trial). Default: psutil.",
        )
        parser.add_argument(
            "--interval",
            type=_seconds,
            default=conf.settings.usable().sample_seconds,
            metavar="SECONDS",
            help='Time between two samples. Default: MONITOR["SAMPLE_SECONDS"].',
        )
        parser.add_argument(
            "--host",
            default=PROCESS.host.name,
            help="Name of this host on the dashboard. Default: HUBBUB_HOST_NAME, or the host name.",
        )

    def handle(self, *args: Any, source: str, interval: float, host: str, **options: Any) -> None:
        try:
            claim_at_start()
        except REFUSALS as error:
            raise CommandError(str(error)) from None
        asyncio.run(_publish(HostReader(source, host), interval))


async def _publish(host: HostReader, interval: float) -> None:
    site.is_served = True
    async with connect() as redis:
        holding = asyncio.create_task(hold())
        publisher = Publisher(Store(redis), host, interval=interval)
        running, stopped = asyncio.create_task(publisher.run()), asyncio.Event()
        running.add_done_callback(lambda _: stopped.set())
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stopped.set)
        await stopped.wait()
        if running.done():
            running.result()  # Raises its error: a bug.
        await cancel(running)
        await cancel(holding)
        await publisher.end()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is not a number") from None
    if not 0.1 <= seconds <= 60:
        raise ArgumentTypeError(f"{text} is out of range: 0.1 to 60 seconds are allowed")
    return seconds
