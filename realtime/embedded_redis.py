"""The private Redis of the one-command run: find a server binary, run it as a child on a UNIX socket."""

import hashlib
import os
import tempfile
from pathlib import Path

SOCKET_PATH_BYTES = 107  # sun_path, unix(7)


def socket_path(var_dir: Path) -> Path:
    """Where the private Redis of `var_dir` listens; the same for every process that asks."""
    path = var_dir / "run" / "redis.sock"
    if len(os.fsencode(path)) <= SOCKET_PATH_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(var_dir)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"hubbub-{os.getuid()}-{digest}" / "redis.sock"
