"""The sizes that a reader can hold: lines of a file and of a function, entries of the engine."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.support.servers import ROOT

MAX_LINES = 300
MAX_FUNCTION_LINES = 60
# Modules and folders of the engine that a reader finds in hubbub/, beside those that Django has in every app.
MAX_ENTRIES = 30
OF_EVERY_APP = {"__init__.py", "__main__.py", "py.typed", "migrations", "management", "static", "templates", "locale"}
# `texts` has made files.
NOT_OURS = {
    "texts",
    ".git",
    ".venv",
    ".venv-bench",
    ".venv-docs",
    "node_modules",
    "var",
    "vendor",
    "migrations",
    "__pycache__",
}


def source_files(root: Path) -> Iterator[Path]:
    for path in sorted(root.iterdir()):
        if path.is_dir():
            if path.name not in NOT_OURS:
                yield from source_files(path)
        elif path.suffix in (".py", ".js", ".css"):
            yield path


def too_long(root: Path) -> list[str]:
    counts = {path.relative_to(root): len(path.read_text().splitlines()) for path in source_files(root)}
    return [f"{path} has {count} lines" for path, count in counts.items() if count > MAX_LINES]


def test_no_file_is_longer_than_a_reader_can_hold() -> None:
    assert too_long(ROOT) == []


def test_a_file_that_is_too_long_is_found(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    (tmp_path / "vendor" / "library.js").write_text("x\n" * (MAX_LINES + 1))
    (tmp_path / "right.py").write_text("x\n" * MAX_LINES)
    (tmp_path / "wrong.css").write_text("x\n" * (MAX_LINES + 1))
    assert too_long(tmp_path) == [f"wrong.css has {MAX_LINES + 1} lines"]


def test_the_engine_has_few_entries() -> None:
    entries = [path.name for path in (ROOT / "hubbub").iterdir() if path.name not in NOT_OURS | OF_EVERY_APP]
    assert len(entries) <= MAX_ENTRIES, entries


def long_functions(root: Path) -> list[str]:
    return [
        f"{path.relative_to(root)}: {node.name} has {lines} lines"
        for path in source_files(root)
        if path.suffix == ".py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.end_lineno is not None and (lines := node.end_lineno - node.lineno + 1) > MAX_FUNCTION_LINES
    ]


def test_no_function_is_longer_than_a_screen() -> None:
    assert long_functions(ROOT) == []


def test_a_function_that_is_too_long_is_found(tmp_path: Path) -> None:
    (tmp_path / "right.py").write_text("def right():\n" + "    x = 1\n" * (MAX_FUNCTION_LINES - 1))
    (tmp_path / "wrong.py").write_text("class A:\n    async def wrong():\n" + "        x = 1\n" * MAX_FUNCTION_LINES)
    assert long_functions(tmp_path) == [f"wrong.py: wrong has {MAX_FUNCTION_LINES + 1} lines"]
