"""The entries of the engine, its modules and folders, import one another on few levels, and in no circle."""

import ast
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.servers import ROOT

MAX_LEVELS = 7


def imports_between(package: Path) -> dict[str, set[str]]:
    """The entries of a package, each with the entries that its files import, also within functions."""
    files = {
        path.stem if path.suffix == ".py" else path.name: [path] if path.suffix == ".py" else [*path.rglob("*.py")]
        for path in package.iterdir()
        if (path.suffix == ".py" and path.stem != "__init__") or (path / "__init__.py").exists()
    }
    return {
        entry: {name for path in paths for name in imported(path, package.name) if name in files and name != entry}
        for entry, paths in files.items()
    }


def imported(path: Path, package: str) -> Iterator[str]:
    """The entries of the package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == package:
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{package}."):
            yield node.module.split(".")[1]
        elif isinstance(node, ast.Import):
            yield from (alias.name.split(".")[1] for alias in node.names if alias.name.startswith(f"{package}."))


def levels_of(imports: Mapping[str, set[str]]) -> dict[str, int]:
    """The level of each entry: one above the highest that it imports. Raises ValueError for a circle."""
    levels: dict[str, int] = {}

    def level(entry: str, above: tuple[str, ...]) -> int:
        if entry in above:
            raise ValueError(" imports ".join((*above[above.index(entry) :], entry)))
        if entry not in levels:
            levels[entry] = 1 + max((level(lower, (*above, entry)) for lower in imports[entry]), default=0)
        return levels[entry]

    for entry in imports:
        level(entry, ())
    return levels


def test_the_engine_has_few_levels_and_no_circle() -> None:
    levels = levels_of(imports_between(ROOT / "hubbub"))
    assert max(levels.values()) <= MAX_LEVELS, levels


def test_levels_and_circles_are_found(tmp_path: Path) -> None:
    package = tmp_path / "package"
    (package / "folder").mkdir(parents=True)
    for name, text in {
        "__init__.py": "",
        "low.py": "",
        "folder/__init__.py": "from package import low",
        "folder/deep.py": "",
        "high.py": "def f():\n    from package.folder import deep",
    }.items():
        (package / name).write_text(text)
    assert levels_of(imports_between(package)) == {"low": 1, "folder": 2, "high": 3}
    (package / "low.py").write_text("import package.high")
    with pytest.raises(ValueError, match=r"low imports high|high imports folder|folder imports low"):
        levels_of(imports_between(package))
