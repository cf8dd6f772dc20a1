"""docs/templates.md lists the blocks, tokens, icons, ids, roles and `data-` attributes that the pages have."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.documents import ROOT, names_in, table

PAGE = (ROOT / "docs" / "templates.md").read_text()
BASE = ROOT / "hubbub/templates/hubbub/base.html"
CHAT = ROOT / "chat/templates/chat"
TOKENS = ROOT / "hubbub/static/hubbub/css/tokens.css"
ICONS = ROOT / "hubbub/templates/hubbub/icons.html"
# The pages of Django's admin have templates of their own, which teams do not copy for their look.
NOT_PAGES = {"vendor", "texts", "admin"}

DATA = re.compile(r"\bdata-([a-z]+(?:-[a-z]+)*)\b")
DATASET = re.compile(r"\bdataset\.([a-zA-Z]+)")
TAKEN = re.compile(r"\{([^{}]*)\} = [\w.]*dataset;")
ROLE = re.compile(r"""data-role=["'\\]*([a-z]+(?:-[a-z]+)*)""")
ASKED = re.compile(r"""\bpart\([^()]*, "([a-z-]+)"\)""")
# The tools of a message and the dialogs: scripts make their roles of these names.
TOOL = re.compile(r'tools\.push\(\{ name: "([a-z-]+)"')
DIALOG = re.compile(r'^ +name: "([a-z-]+)",$', re.MULTILINE)


def documented(heading: str) -> set[str]:
    return {name for row in table(PAGE, heading) for name in names_in(row[0])}


def blocks(path: Path) -> set[str]:
    return set(re.findall(r"\{% block (\w+) %\}", path.read_text()))


def files(*suffixes: str) -> Iterator[Path]:
    for app in ("hubbub", "chat"):
        for path in sorted((ROOT / app).rglob("*")):
            is_page = not NOT_PAGES & {*path.relative_to(ROOT).parts} and not path.name.startswith("admin")
            if path.suffix in suffixes and is_page:
                yield path


def with_hyphens(name: str) -> str:
    return re.sub(r"[A-Z]", lambda capital: f"-{capital[0].lower()}", name)


def attributes_in(source: str, suffix: str) -> set[str]:
    found = {*DATA.findall(source)}
    if suffix == ".js":
        found |= {with_hyphens(name) for name in DATASET.findall(source)}
        taken = (name.partition("=")[0].strip() for part in TAKEN.findall(source) for name in part.split(","))
        found |= {with_hyphens(name) for name in taken if name}
    return {f"data-{name}" for name in found}


def roles_in(path: Path) -> set[str]:
    source = path.read_text()
    found = {*ROLE.findall(source)}
    if path.suffix == ".js":
        found |= {*ASKED.findall(source), *TOOL.findall(source)}
        if path.name.startswith("dialog-"):
            found |= {f"{name}-dialog" for name in DIALOG.findall(source)}
    return found


@pytest.mark.parametrize(
    ("heading", "path"),
    [
        ("block of each page", BASE),
        ("block of the chat", CHAT / "base.html"),
        ("block of the page of rooms", CHAT / "room.html"),
    ],
)
def test_every_block_is_documented(heading: str, path: Path) -> None:
    assert documented(heading) == blocks(path)


def test_the_first_lines_of_the_base_template_list_its_blocks() -> None:
    comment = BASE.read_text().partition("{% endcomment %}")[0]
    assert {*re.findall(r"^  (\w+)", comment, re.MULTILINE)} == blocks(BASE)


def test_every_token_is_documented() -> None:
    assert documented("token") == {*re.findall(r"^ +(--[\w-]+):", TOKENS.read_text(), re.MULTILINE)}


def test_every_icon_is_documented() -> None:
    assert documented("icons") == {*re.findall(r'<symbol id="icon-([\w-]+)"', ICONS.read_text())}


def test_every_id_is_documented() -> None:
    found = {name for path in files(".html") for name in re.findall(r'\bid="([a-z-]+)"', path.read_text())}
    assert documented("id") == {name for name in found if not name.startswith("icon-")}


def test_every_attribute_is_documented() -> None:
    found = [attributes_in(path.read_text(), path.suffix) for path in files(".html", ".js", ".css")]
    assert documented("attribute") == {name for names in found for name in names}


def test_every_role_is_documented() -> None:
    assert documented("role") == {name for path in files(".html", ".js", ".css") for name in roles_in(path)}


def test_a_role_is_listed_where_it_is_made() -> None:
    """The tables for templates have the roles of templates, and the last one those of scripts alone."""
    section = PAGE.partition("## Roles")[2].partition("\n## ")[0]
    by_templates, by_scripts = section.split("Made by scripts")
    in_templates = {name for path in files(".html") for name in ROLE.findall(path.read_text())}
    assert {name for row in table(by_templates, "role") for name in names_in(row[0])} == in_templates
    assert not in_templates & {name for row in table(by_scripts, "role") for name in names_in(row[0])}


def test_attributes_are_found_in_all_forms() -> None:
    script = 'a.dataset.ownId; const { user = "", livePath = "" } = place.dataset; find("[data-role=x]"); '
    assert attributes_in(script, ".js") == {"data-own-id", "data-user", "data-live-path", "data-role"}
