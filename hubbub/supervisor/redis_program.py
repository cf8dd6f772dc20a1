"""The private Redis as a program of `manage.py up`."""

import os
from dataclasses import dataclass
from pathlib import Path

from hubbub.supervisor.child import Child
from hubbub.supervisor.private_redis import Binary, answers
from hubbub.supervisor.programs import ManagedProgram


@dataclass(kw_only=True)
class ManagedRedis(ManagedProgram):
    """The private Redis: a child on the UNIX socket `path`."""

    binary: Binary
    path: Path

    async def launch(self) -> Child:
        command = [os.fspath(self.binary.path), "-"]
        return await Child.start(
            command,
            show=self.show,
            environ=self.environ,
            folder=self.folder,
            pass_fds=[self.lock],
            text=self.binary.config(self.path),
        )

    async def probe(self, child: Child) -> str:
        return "" if answers(self.path) else "no answer"

    def clean_up(self, child: Child) -> None:
        self.path.unlink(missing_ok=True)

    def show(self, line: str) -> None:
        # Its lines at start and stop are noise.
        if self.ready.is_set() and not self.stopping:
            super().show(line)
