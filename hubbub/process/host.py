"""This host, as others know it: an id that no other host has, and a name for people, which two hosts may share."""

import hashlib
import os
import secrets
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings

ID_FILE = "host_id"
ID_CHARS = 12
MAX_NAME_CHARS = 64
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Host:
    id: str
    name: str


@cache
def this_host() -> Host:
    name = os.environ.get("HUBBUB_HOST_NAME") or socket.gethostname() or "localhost"
    folder = getattr(settings, "VAR_DIR", None)
    return Host(host_id(Path(folder) if folder else None), name[:MAX_NAME_CHARS])


def host_id(folder: Path | None) -> str:
    """The id of this machine for the site whose data is in `folder`: the same at each start.

    Machines made from one image may have the same machine-id and name, so a random part is kept in `folder`. The file's
    inode and the machine-id are part of the id: a copy of the folder is another host. Where nothing can be kept, the
    id lasts until the next boot.
    """
    try:
        kept = _kept(folder) if folder else _text(BOOT_ID)
    except OSError:
        kept = _text(BOOT_ID)
    return digest(kept, _text(MACHINE_ID), socket.gethostname())


def digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:ID_CHARS]


def _kept(folder: Path) -> str:
    path = folder / ID_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written aside and linked: of processes that start at once, all must read the same whole id.
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.touch(mode=0o600)
        try:
            draft.write_text(secrets.token_hex(16))
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return f"{path.read_text().strip()} {path.stat().st_ino}"


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
