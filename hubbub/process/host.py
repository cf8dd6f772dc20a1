"""The identity of this host: a unique id, and a name for people that two hosts may share."""

import hashlib
import os
import secrets
import socket
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ID_FILE = "host_id"
ID_CHARS = 12
MAX_NAME_CHARS = 64
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
MACHINE_ID = Path("/etc/machine-id")


@dataclass(frozen=True, slots=True)
class Host:
    """`id` is unique; `name` is for people."""

    id: str
    name: str


# Set by `store_in`; None: nothing is stored.
_folder: Path | None = None


def store_in(folder: Path | None) -> None:
    """Store the id of this host in `folder`, the data folder of the site. Call it before the first `this_host`."""
    global _folder
    _folder = folder


@cache
def this_host() -> Host:
    """This host, with the name of HUBBUB_HOST_NAME or its own."""
    name = os.environ.get("HUBBUB_HOST_NAME") or socket.gethostname() or "localhost"
    return Host(host_id(_folder), name[:MAX_NAME_CHARS])


def host_id(folder: Path | None) -> str:
    """The id of this machine for the site whose data is in `folder`; stable across starts.

    Machines made from one image may share a machine-id and a name, so `folder` stores a random part. The file's inode
    is part of the id: a copied folder is another host. Without a writable folder the id lasts until the next boot.
    """
    try:
        random_part = _stored_id(folder) if folder else _read_text(BOOT_ID)
    except OSError:
        random_part = _read_text(BOOT_ID)
    return digest(random_part, _read_text(MACHINE_ID), socket.gethostname())


def digest(*parts: str) -> str:
    """A short hash of all parts."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:ID_CHARS]


def _stored_id(folder: Path) -> str:
    path = folder / ID_FILE
    if not path.exists():
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Written aside and linked: processes that start together must all read the same complete id.
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


def _read_text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError:
        return ""
