"""Vendored libraries: unchanged, and of the versions that `package.json` pins. npm checks their packages by hashes."""

import json
from pathlib import Path

import pytest

from scripts import emoji_data
from tests.support.servers import ROOT

# Of each library: its folder, and the file of its npm package by the name here.
LIBRARIES = {
    "uplot": ("monitor/static/monitor/vendor/uplot", {
        "uPlot.esm.js": "dist/uPlot.esm.js", "uPlot.min.css": "dist/uPlot.min.css", "LICENSE": "LICENSE",
    }),
    "markdown-it": ("chat/static/chat/vendor/markdown-it", {
        "markdown-it.esm.min.js": "dist/browser/markdown-it.esm.min.mjs", "LICENSE": "LICENSE",
    }),
    "lit-html": ("chat/static/chat/vendor/lit-html", {
        name: name
        for name in ("LICENSE", "lit-html.js", "directive.js", "directive-helpers.js", "async-directive.js", *(
            f"directives/{name}.js" for name in ("class-map", "guard", "if-defined", "keyed", "live", "ref", "repeat")
        ))
    }),
    # Its lists are made of these packages' data.
    "unicode-emoji-json": ("chat/static/chat/vendor/emoji", {"LICENSE": "LICENSE"}),
    "emojilib": ("chat/static/chat/vendor/emoji", {"LICENSE-emojilib": "LICENSE"}),
    "emojibase-data": ("chat/static/chat/vendor/emoji", {"LICENSE-emojibase-data": "LICENSE"}),
}  # fmt: skip
EMOJI = {"emoji.js", *(path.name for path in emoji_data.NAMES.values())}


@pytest.mark.parametrize("name", LIBRARIES)
def test_a_vendored_library_is_the_pinned_package(name: str) -> None:
    folder, files = ROOT / LIBRARIES[name][0], LIBRARIES[name][1]
    version = json.loads((ROOT / "package.json").read_text())["devDependencies"][name]
    package = ROOT / "node_modules" / name
    assert json.loads((package / "package.json").read_text())["version"] == version
    readme = (folder / "README.md").read_text().splitlines()
    assert f"{name if name != 'uplot' else 'uPlot'} {version}" in readme[0]
    for here, there in files.items():
        theirs = (package / there).read_text().partition("\n//# sourceMappingURL")[0]
        assert (folder / here).read_text().rstrip("\n") == theirs.rstrip("\n"), here


def test_the_list_of_emoji_is_that_of_the_pinned_packages() -> None:
    assert emoji_data.VENDORED.read_text() == emoji_data.module(ROOT / "node_modules")


@pytest.mark.parametrize("language", emoji_data.NAMES)
def test_the_names_of_emoji_are_those_of_the_pinned_packages(language: str) -> None:
    assert emoji_data.NAMES[language].read_text() == emoji_data.names_module(ROOT / "node_modules", language)


def test_every_vendored_library_is_listed() -> None:
    folders = {path.parent for path in ROOT.glob("*/static/*/vendor/*/LICENSE")}
    assert folders == {ROOT / folder for folder, _ in LIBRARIES.values()}
    for folder in folders:
        files = {str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()}
        known = {name for place, names in LIBRARIES.values() if ROOT / place == folder for name in names}
        made = EMOJI if folder == emoji_data.VENDORED.parent else set()
        assert {name for name in files if not name.endswith(".d.ts")} == {"README.md", *known, *made}
