"""The package as built by `make package`, and an environment in which its wheel is installed."""

import os
import subprocess
import sys
import venv
import zipfile
from collections.abc import Collection
from importlib.metadata import Distribution, distribution
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.documents import ROOT


def built_package(folder: Path) -> dict[str, Path]:
    """Build the wheel (".whl") and the sources (".gz") from a clone."""
    subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), folder / "clone"], check=True)
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder / "dist"]
    subprocess.run([*command, folder / "clone"], check=True)
    return {path.suffix: path for path in (folder / "dist").glob("django_hubbub-*")}


def environment_with(wheel: Path, folder: Path, *extras: str) -> Path:
    """The Python of an environment with the wheel and these extras; `make package` and `make matrix` make real ones."""
    if "SMOKE_PYTHON" in os.environ:
        return Path(os.environ["SMOKE_PYTHON"]).absolute()
    return own_environment_with(wheel, folder, *extras)


def own_environment_with(wheel: Path, folder: Path, *extras: str) -> Path:
    """The same, always without what the wheel and these extras do not name."""
    venv.create(folder)
    [packages] = (folder / "lib").glob("python3.*/site-packages")
    install(wheel, packages, extras)
    return folder / "bin" / "python"


def install(wheel: Path, packages: Path, extras: Collection[str]) -> None:
    """Unpack the wheel, and link the installed distributions that it needs, as pip would bring them."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    [info] = packages.glob("django_hubbub-*.dist-info")
    waiting = [(Distribution.at(info), frozenset(extras))]
    done = set()
    while waiting:
        package, chosen = waiting.pop()
        for text in package.requires or []:
            needed = Requirement(text)
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in chosen or [""]):
                continue
            found = distribution(needed.name)
            if (key := (found.name, frozenset(needed.extras))) not in done:
                done.add(key)
                waiting.append((found, frozenset(needed.extras)))
                _link(found, packages)


def _link(package: Distribution, packages: Path) -> None:
    names = {path.parts[0] for path in package.files or []} - {"..", "__pycache__"}
    for name in names:
        if not (packages / name).exists():
            (packages / name).symlink_to(package.locate_file(name))


if __name__ == "__main__":
    install(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
