"""A management command as a program of `manage.py up`."""

import asyncio
import sys
from dataclasses import dataclass

from hubbub.supervisor.child import Child
from hubbub.supervisor.programs import ManagedProgram

SETTLES_SECONDS = 1.0
STARTS_SECONDS = 5.0


@dataclass(kw_only=True)
class ManagedCommand(ManagedProgram):
    """A management command that runs beside the web processes."""

    command: list[str]

    async def launch(self) -> Child:
        return await Child.start(
            [sys.executable, "-m", "django", *self.command],
            show=self.show,
            environ=self.program_environ(),
            folder=self.folder,
            pass_fds=[self.lock],
        )

    async def probe(self, child: Child) -> str:
        # A command has no probe: alive after a second means that its settings and modules were loaded.
        await asyncio.sleep(SETTLES_SECONDS)
        return "" if child.is_alive else "ended at once"

    def did_start(self, lived_seconds: float) -> bool:
        return lived_seconds > STARTS_SECONDS
