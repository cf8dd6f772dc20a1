"""Builds the npm package of the browser client: `python -m scripts.npm_package dist`, a part of `make npm-package`.

The code is `hub.js` and the modules that it imports, as they are. The types come from their JSDoc. No file is kept
twice: `scripts/npm/` has what the package alone needs, and the version is that of the Python package.
"""

import json
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from hubbub import __version__

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "hubbub" / "static" / "hubbub" / "js"
OWN = ROOT / "scripts" / "npm"
TSC = ROOT / "node_modules" / ".bin" / "tsc"
# Not those of JSDoc, whose lines begin with a star.
IMPORT = re.compile(r"""(?:^(?:import\b|export\b|\} from).*|\bimport\()"\./([\w-]+)\.js\"""", re.MULTILINE)
# Of a version as Python writes it, such as 1.2.0rc1.
PRERELEASE = re.compile(r"^(\d+\.\d+\.\d+)(a|b|rc)(\d+)$")
KINDS = {"a": "alpha", "b": "beta", "rc": "rc"}


def main() -> None:
    sys.stdout.write(f"Built {build(Path(sys.argv[1]))}\n")


def build(folder: Path) -> Path:
    """Return the path of the built archive, in this folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        fill(Path(place))
        packed = run(["npm", "pack", "--json", "--pack-destination", str(folder.resolve())], Path(place))
    return folder / json.loads(packed)[0]["filename"]


def fill(package: Path) -> None:
    """Put all files of the package into an empty folder."""
    for name in reachable(CODE, ["hub"], ".js"):
        shutil.copy(CODE / f"{name}.js", package)
    with tempfile.TemporaryDirectory() as place:
        types = Path(place)
        declare(types)
        for name in reachable(types, ["hub", "types"], ".d.ts"):
            shutil.copy(types / f"{name}.d.ts", package)
    for path in (OWN / "README.md", OWN / "index.d.ts", ROOT / "LICENSE"):
        shutil.copy(path, package)
    described = json.loads((OWN / "package.json").read_text())
    described = {"name": described.pop("name"), "version": npm_version(__version__), **described}
    (package / "package.json").write_text(json.dumps(described, indent=2) + "\n")


def declare(types: Path) -> None:
    """Write the types of the code, as its JSDoc declares them."""
    options = {
        "allowJs": True,
        "declaration": True,
        "emitDeclarationOnly": True,
        "strict": True,
        "target": "es2024",
        "lib": ["es2024", "dom", "dom.iterable"],
        "module": "esnext",
        "moduleResolution": "bundler",
        "types": [],
        "rootDir": str(CODE),
        "outDir": str(types),
    }
    project = types / "tsconfig.json"
    project.write_text(json.dumps({"compilerOptions": options, "files": [str(CODE / "hub.js")]}))
    run([str(TSC), "--project", str(project)], ROOT)
    shutil.copy(CODE / "types.d.ts", types)


def reachable(folder: Path, names: list[str], suffix: str) -> list[str]:
    """The modules with these names, and all that they import."""
    found: list[str] = []
    while names:
        name = names.pop()
        if name not in found:
            found.append(name)
            names += IMPORT.findall((folder / f"{name}{suffix}").read_text())
    return found


def npm_version(version: str) -> str:
    """The version of the Python package as npm writes it: 1.2.0rc1 is 1.2.0-rc.1."""
    return PRERELEASE.sub(lambda match: f"{match[1]}-{KINDS[match[2]]}.{match[3]}", version)


def run(command: list[str], folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)  # noqa: S603 (fixed commands)
    if done.returncode:
        sys.exit(f"make npm-package: {command[0]} failed\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
