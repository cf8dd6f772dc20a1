"""The package as built by `make package`, and an environment in which its wheel is installed."""

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

from tests.support.servers import ROOT


def built_package(folder: Path) -> dict[str, Path]:
    """Build the wheel (".whl") and the sources (".gz") from a clone."""
    subprocess.run(["git", "clone", "--quiet", "--depth=1", ROOT.as_uri(), folder / "clone"], check=True)
    uv = Path(sys.executable).with_name("uv")
    command = [uv, "build", "--quiet", "--no-build-isolation", "--python", sys.executable, "--out-dir", folder / "dist"]
    subprocess.run([*command, folder / "clone"], check=True)
    return {path.suffix: path for path in (folder / "dist").glob("django_hubbub-*")}


def environment_with(wheel: Path, folder: Path) -> Path:
    """The Python of an environment in which the wheel is installed; `make package` makes a real one."""
    if "SMOKE_PYTHON" in os.environ:
        return Path(os.environ["SMOKE_PYTHON"]).absolute()
    venv.create(folder)
    [packages] = (folder / "lib").glob("python3.*/site-packages")
    # The dependencies are those that the tests run with; the repository itself is not among them.
    there = next(path for path in sys.path if path.endswith("site-packages"))
    (packages / "dependencies.pth").write_text(there)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    return folder / "bin" / "python"
