"""A private Redis that can be stopped, started, frozen and emptied while processes use it."""

import os
import signal
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from chaos.faults import delete_all_keys
from hubbub.supervisor import private_redis


class OwnRedis:
    """On the UNIX socket `path`; not started yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self._running = ExitStack()
        self._pid: int | None = None

    def __enter__(self) -> "OwnRedis":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start an empty Redis unless it runs, and wait until it answers."""
        if self._pid is None:
            self._pid = self._running.enter_context(private_redis.running(self.path))

    def stop(self) -> None:
        """Stop Redis cleanly if it runs."""
        self.thaw()
        self._pid = None
        self._running.close()

    def kill(self) -> None:
        """End Redis by SIGKILL."""
        assert self._pid
        os.kill(self._pid, signal.SIGKILL)
        self._pid = None
        self._running.close()

    def freeze(self) -> None:
        """Freeze Redis: connections stay, the kernel accepts new ones, and nothing answers."""
        assert self._pid
        os.kill(self._pid, signal.SIGSTOP)

    def thaw(self) -> None:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGCONT)

    def empty(self) -> None:
        delete_all_keys(os.fspath(self.path))
