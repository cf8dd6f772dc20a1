"""Short Python programs in place of the processes of a supervisor."""

import sys

from hubbub.supervisor.child import Child
from hubbub.supervisor.command_program import ManagedCommand


class Script(ManagedCommand):
    """A few lines of Python that are kept running."""

    async def launch(self) -> Child:
        return await Child.start(
            [sys.executable, "-c", *self.command],
            show=self.show,
            environ=self.environ,
            folder=self.folder,
            pass_fds=[self.lock],
        )

    async def probe(self, child: Child) -> str:
        return "" if any("ready" in line for line in child.last_lines) else "has said nothing"

    def did_start(self, lived_seconds: float) -> bool:
        return self.ready.is_set()


STAYS = "import time; print('ready'); time.sleep(60)"
