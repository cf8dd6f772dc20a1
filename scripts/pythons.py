"""Finds the Pythons of this machine: on PATH, and in pyenv."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

VERSION = "import sys; print('{}.{}'.format(*sys.version_info))"


def find_pythons(wanted: Iterable[str]) -> dict[str, Path]:
    """The interpreters of these versions, such as 3.12, that run. PATH is first; of pyenv's the newest."""
    found = {}
    for version in wanted:
        named = shutil.which(f"python{version}")
        root = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
        in_pyenv = sorted((root / "versions").glob(f"{version}.*/bin/python"), key=_numbers, reverse=True)
        for path in [*([Path(named)] if named else []), *in_pyenv]:
            if _runs(path, version):
                found[version] = path
                break
    return found


def _runs(path: Path, version: str) -> bool:
    """Whether this is a Python of the version: pyenv has programs on PATH for versions that are switched off."""
    ran = subprocess.run([path, "-c", VERSION], capture_output=True, text=True, check=False)  # noqa: S603 - a Python
    return ran.returncode == 0 and ran.stdout.strip() == version


def _numbers(path: Path) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", path.parent.parent.name)]
