"""Run short programs as by `python`, without the second that their imports take.

One process has imported the third-party packages, nothing of the project, and forks for each program. Run as a
module, this file is that process.
"""

import gc
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
MAX_REQUEST_BYTES = 128 * 1024  # An environment and a program.
IMPORTED = (
    *("daphne.server", "channels_redis.pubsub", "redis.asyncio", "msgspec", "psutil", "psycopg_pool"),
    *("django.contrib.admin", "django.contrib.auth.password_validation", "django.contrib.sessions.backends.base"),
    *("django.contrib.staticfiles.finders", "django.db.backends.sqlite3.base", "django.db.migrations.executor"),
    *("django.template.defaulttags", "django.views.debug", "whitenoise.storage", "dj_database_url"),
)


class Warm:
    """Runs one program at a time, for all threads. Its process starts at the first use."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def run(
        self, arguments: Sequence[str], env: dict[str, str], seconds: float, root: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        """Run a program.

        Args:
            arguments: A file in `root` with its arguments, or "-c" and code.
            seconds: Time limit.

        Raises:
            TimeoutError: The program has exceeded the limit.
        """
        request = json.dumps({"arguments": arguments, "env": env, "root": os.fspath(root)}).encode()
        with self._lock, tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            channel = self._channel or self._start()
            channel.settimeout(seconds)
            try:
                socket.send_fds(channel, [request], [output.fileno(), errors.fileno()])
                code = int(channel.recv(16))
            except (OSError, ValueError):
                self._stop()
                raise
            texts = [_read(file) for file in (output, errors)]
        return subprocess.CompletedProcess(arguments, code, *texts)

    def close(self) -> None:
        with self._lock:
            self._stop()

    def _start(self) -> socket.socket:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.warm", str(theirs.fileno())],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        return self._channel

    def _stop(self) -> None:
        """End the process and its programs."""
        if self._channel is not None and self._process is not None:
            self._channel.close()
            try:
                os.killpg(self._process.pid, 9)
            except ProcessLookupError:
                pass
            self._process.wait()
        self._channel = self._process = None


def _read(file: Any) -> str:
    file.seek(0)
    text: bytes = file.read()
    return text.decode()


warm = Warm()


# The process


def main() -> None:
    for name in IMPORTED:
        import_module(name)
    gc.disable()  # The children are short: imports would be a quarter slower with collections.
    request = serve(socket.socket(fileno=int(sys.argv[1])))
    if request is None:
        return
    os.environ.clear()
    os.environ.update(request["env"])
    os.chdir(request["root"])
    sys.path[0] = request["root"]  # Was this project's.
    first, *rest = request["arguments"]
    if first == "-c":
        code, *rest = rest
        sys.argv = ["-c", *rest]
        exec(compile(code, "<string>", "exec"), {"__name__": "__main__"})
    else:
        sys.argv = [first, *rest]
        runpy.run_path(first, run_name="__main__")


def serve(channel: socket.socket) -> dict[str, Any] | None:
    """Fork for each request and answer with the exit code. Returns the request in the child, None at the end."""
    while True:
        request, files, _, _ = socket.recv_fds(channel, MAX_REQUEST_BYTES, 2)
        if not request:
            return None
        if (pid := os.fork()) == 0:
            channel.close()
            for number, file in enumerate(files, start=1):
                os.dup2(file, number)
                os.close(file)
            request_fields: dict[str, Any] = json.loads(request)
            return request_fields
        for file in files:
            os.close(file)
        channel.send(b"%d" % os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))


if __name__ == "__main__":
    main()
