"""`manage.py chaos`: inject faults into a temporary site for some minutes, then report lost messages."""

import asyncio
import logging
import secrets
import signal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from chaos import storm
from chaos.site import SiteFailed

MAX_MINUTES = 24 * 60.0
MAX_PROCESSES = 16
MAX_SEED = 2**32


class Command(BaseCommand):
    help = (
        "Start a site in a temporary folder. Clients chat there while processes, Redis, the database and connections "
        "fail. Then compare the messages of each client with the database. Your own site is not touched."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--minutes", type=float, default=5.0, help="Duration of the faults in minutes (5).")
        parser.add_argument("--processes", type=int, default=3, help="Number of web processes (3).")
        parser.add_argument("--seed", type=int, help="Repeat the faults of an earlier run, in the same order.")
        parser.add_argument("--http", action="store_true", help="All clients come by HTTP and server-sent events.")

    def handle(self, *, minutes: float, processes: int, seed: int | None, http: bool, **options: Any) -> None:
        if not 0 < minutes <= MAX_MINUTES:
            raise CommandError(f"--minutes must be above 0 and at most {MAX_MINUTES:g}.")
        if not 1 <= processes <= MAX_PROCESSES:
            raise CommandError(f"--processes must be 1 to {MAX_PROCESSES}.")
        if seed is not None and not 0 <= seed < MAX_SEED:
            raise CommandError(f"--seed must be 0 to {MAX_SEED - 1}.")
        if seed is None:
            seed = secrets.randbelow(MAX_SEED)
        logging.getLogger("hubbub.client").setLevel(logging.ERROR)  # Connections are lost on purpose.
        try:
            outcome = asyncio.run(self._run(minutes * 60, processes, seed, http=http))
        except SiteFailed as error:
            raise CommandError(str(error)) from None
        except asyncio.CancelledError:
            raise CommandError("Stopped without a comparison.", returncode=130) from None
        self._say("\n".join(storm.table(outcome)))
        if not outcome.is_consistent:
            raise CommandError("Failed: the clients do not match the database. See above.", returncode=1)

    async def _run(self, seconds: float, processes: int, seed: int, *, http: bool) -> storm.Outcome:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        running = asyncio.create_task(
            storm.run(seconds=seconds, processes=processes, seed=seed, stop=stop, say=self._say, http=http)
        )

        def interrupt() -> None:
            # The first signal ends the faults, and the report follows; the second ends the command.
            if stop.is_set():
                running.cancel()
            else:
                self._say("Stopping … (Ctrl-C again: stop without a comparison)")
                stop.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, interrupt)
        return await running

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
