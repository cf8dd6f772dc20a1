"""The npm package of the browser client: built, and installed into a folder of its own."""

import json
import os
import subprocess
from pathlib import Path

from scripts.npm_package import build
from tests.support.servers import ROOT

MODULES = ROOT / "node_modules"


def run(command: list[str], folder: Path, *, seconds: int = 60) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def installed_client(folder: Path) -> Path:
    """Build the package, and install it as the only one of a project in this folder. Returns the archive."""
    archive = build(folder / "dist")
    project = folder / "project"
    project.mkdir()
    (project / "package.json").write_text('{"private": true, "type": "module"}')
    run(["npm", "install", "--offline", "--no-audit", "--no-fund", os.fspath(archive)], project)
    return archive


def type_check(project: Path, **options: object) -> subprocess.CompletedProcess[str]:
    """Check the types of a project as strictly as the compiler can."""
    settings = {
        "strict": True,
        "exactOptionalPropertyTypes": True,
        "module": "nodenext",
        "target": "es2024",
        "types": [],
    }
    (project / "tsconfig.json").write_text(json.dumps({"compilerOptions": settings | options}))
    command = [os.fspath(MODULES / ".bin" / "tsc"), "--project", "."]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=60)
