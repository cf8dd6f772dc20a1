"""Static files as they are served: every import of a module must find the hashed file."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command

pytestmark = pytest.mark.slow

IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"'\n]+)["']""")
COMMENT = re.compile(r"/\*.*?\*/|^//.*?$", re.DOTALL | re.MULTILINE)
HASHED = re.compile(r"\.[0-9a-f]{12}\.m?js$")
OURS = ("project/", "hubbub/", "chat/", "monitor/")


@pytest.fixture
def collected(tmp_path: Path, settings: Any) -> Path:
    settings.STATIC_ROOT = tmp_path
    call_command("collectstatic", interactive=False, verbosity=0)
    return tmp_path


def test_every_import_resolves_to_a_hashed_file(collected: Path) -> None:
    modules = hashed_modules(collected)
    imported = [(module, target) for module in modules for target in imports(module)]
    assert len(imported) > 10, "the pattern finds imports"
    for module, target in imported:
        assert target.startswith("./") or target.startswith("../"), f"{module.name} imports {target}: not relative"
        assert HASHED.search(target), f"{module.name} imports {target}: not hashed; is the semicolon missing?"
        assert (module.parent / target).resolve().is_file(), f"{module.name} imports {target}: no such file"


def test_the_room_page_is_three_files_and_what_it_loads_later(collected: Path) -> None:
    (room,) = [path for path in hashed_modules(collected) if re.match(r"room\.[0-9a-f]{12}\.js", path.name)]
    assert [re.sub(r"\.[0-9a-f]{12}", "", target) for target in imports(room)] == [
        "./room.engine.js",
        "./room.libraries.js",
        "./emoji.js",
    ]
    engine = next(path for path in hashed_modules(collected) if path.name.startswith("room.engine."))
    assert 'define("hubbub/js/hub.js"' in engine.read_text()


def test_collecting_twice_gives_the_same(collected: Path) -> None:
    first = {path.name for path in collected.rglob("*.js")}
    call_command("collectstatic", interactive=False, verbosity=0)
    assert {path.name for path in collected.rglob("*.js")} == first


def imports(module: Path) -> list[str]:
    """Without those of types, which are comments to a browser."""
    return IMPORT.findall(COMMENT.sub("", module.read_text()))


def hashed_modules(root: Path) -> list[Path]:
    ours = [root / app / "js" for app in ("hubbub", "chat", "monitor", "project")] + [root / "chat/vendor/lit-html"]
    return [path for folder in ours if folder.is_dir() for path in folder.rglob("*js") if HASHED.search(path.name)]


def test_templates_have_no_inline_styles_or_scripts() -> None:
    templates = [path for app in OURS for path in Path(app).rglob("templates/**/*.html")]
    assert len(templates) > 10
    for path in templates:
        text = path.read_text()
        assert not re.search(r"\sstyle\s*=|<style|\son[a-z]+\s*=", text), f"{path} has an inline style or handler"
        assert not re.search(r"<script(?![^>]*\bsrc=)", text), f"{path} has an inline script"


def test_icons_of_the_tab_exist() -> None:
    for name in ("favicon", "favicon-unread"):
        assert finders.find(f"hubbub/img/{name}.svg")
