"""The documents say the same as the code: settings, checks, counters, proving tests, links, the architecture."""

import ast
import re
from pathlib import Path

from chat.conf import Chat
from hubbub.conf import Hubbub
from hubbub.conf.declaring import allowed, fields_of, meta_of, numbers_of
from hubbub.process.metrics import report
from hubbub.process.security_log import Kind
from monitor.conf import Monitor
from project.accounts.conf import Accounts
from project.tunables import env_name
from tests.support.documents import ROOT, names_in, table

SETTINGS = (ROOT / "docs" / "settings.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()
# Read, but not for anybody to set: the system's, and Django's word to its reloaded self.
NOT_OURS = {"PATH", "PWD", "RUN_MAIN"}


# Settings


def test_every_tunable_is_documented_with_default_bounds_and_reason() -> None:
    expected = [
        f"| `{env_name(field.name)}` | {field.default} | {limits.ge} to {limits.le} | {limits.description} |"
        for tunables in (Hubbub, Chat, Monitor, Accounts)
        for field in numbers_of(tunables)
        for limits in [meta_of(field)]
    ]
    # A tunable that is new or has changed: put the line that stands here into docs/settings.md.
    assert [line for line in SETTINGS.splitlines() if line.startswith("| `HUBBUB_") and " to " in line] == expected


def test_every_key_that_is_not_a_number_is_documented() -> None:
    rows = {row[0].strip("`"): row[2:] for row in table(SETTINGS, "key")}
    numbers = [field.name for field in numbers_of(Hubbub)]
    assert rows == {
        key: [allowed(field), meta_of(field).description]
        for key, field in fields_of(Hubbub).items()
        if field.name not in numbers
    }


def test_every_other_variable_is_documented_with_its_default() -> None:
    written = {row[0].strip("`"): row[1].strip("`") for row in table(SETTINGS, "variable")}
    read = variables_read()
    assert written.keys() == read.keys()
    assert {name: written[name] for name, default in read.items() if default is not None} == {
        name: default for name, default in read.items() if default is not None
    }


def variables_read() -> dict[str, str | None]:
    """The environment variables that the code reads by name, with their defaults where these are plain words."""
    variables: dict[str, str | None] = {}
    for app in ("project", "hubbub", "chat", "monitor"):
        for path in (ROOT / app).rglob("*.py"):
            for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
                called = ast.unparse(call.func)
                if called == "os.environ.get" or called.startswith("env.read_"):
                    name, default = read_variable(call)
                    if name and variables.get(name) is None:
                        variables[name] = default
    return {name: default for name, default in variables.items() if name not in NOT_OURS}


def read_variable(call: ast.Call) -> tuple[str | None, str | None]:
    if not call.args or not isinstance(call.args[0], ast.Constant):
        return None, None
    try:
        default = ast.literal_eval(call.args[1])
    except (IndexError, ValueError):
        default = None
    if isinstance(default, bool):
        return call.args[0].value, str(default).lower()
    if isinstance(default, int):
        return call.args[0].value, str(default)
    return call.args[0].value, ",".join(default) if isinstance(default, list) else default


def test_every_system_check_is_documented_and_no_other() -> None:
    sources = [
        path.read_text()
        for app in ("project", "hubbub", "chat", "monitor")
        for name in ("checks.py", "checks/*.py")
        for path in (ROOT / app).rglob(name)
    ]
    ids = re.findall(r'id="(\w+\.[EW]\d+)"', "".join(sources))
    assert sorted(row[0].strip("`") for row in table(SETTINGS, "check")) == sorted(ids)


# Security


def test_every_security_event_is_documented_and_no_other() -> None:
    assert [row[0].strip("`") for row in table(SECURITY, "event logged")] == [kind.value for kind in Kind]


# Counters


def test_every_counter_is_documented_and_no_other() -> None:
    rows = table((ROOT / "docs" / "counters.md").read_text(), "counter")
    kinds = {name: "by name" if isinstance(value, dict) else "number" for name, value in report("").counters.items()}
    assert {row[0].strip("`"): row[1] for row in rows} == kinds


# Reliability


def test_every_test_that_is_said_to_prove_a_claim_is_there() -> None:
    rows = table((ROOT / "docs" / "reliability.md").read_text(), "fault")
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row[-1])}
    assert named
    assert named <= written_tests()


def written_tests() -> set[str]:
    return {
        name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }


def test_every_test_that_the_readme_names_is_there() -> None:
    rows = table((ROOT / "README.md").read_text(), "promise")
    named = {name for row in rows for name in re.findall(r"`(test_\w+)`", row[-1])}
    assert named
    assert named <= written_tests()


# Architecture


def test_every_function_that_a_step_names_is_there() -> None:
    pages = [(ROOT / name).read_text() for name in ("README.md", "docs/architecture.md")]
    steps = [
        step for page in pages for step in re.findall(r"`([\w/]+\.py)`(?:\]\(\S+\))?: ((?:`[\w.]+`(?:, )?)+)", page)
    ]
    assert len(steps) > 50
    missing = [
        f"{path}: {name}"
        for path, names in steps
        for name in re.findall(r"[\w.]+", names)
        if name not in defined_in(ROOT / path)
    ]
    assert missing == []


def test_every_method_that_the_architecture_names_is_there() -> None:
    named = set(re.findall(r"`([A-Z]\w+\.\w+)`", (ROOT / "docs" / "architecture.md").read_text()))
    packages = ("hubbub", "chat", "monitor", "project")
    assert named
    assert named <= {name for app in packages for path in (ROOT / app).rglob("*.py") for name in defined_in(path)}


def defined_in(path: Path) -> set[str]:
    """The functions and classes of a module, and the methods of its classes as `Class.method`."""
    names = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {
                f"{node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return names


def test_the_page_of_the_architecture_takes_ten_minutes() -> None:
    assert len((ROOT / "docs" / "architecture.md").read_text().splitlines()) <= 250


# The rest


def test_links_and_pictures_lead_somewhere() -> None:
    documents = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    missing = [
        f"{path.relative_to(ROOT)}: {target}"
        for path in documents
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text())
        if not target.startswith("http") and not (path.parent / target).exists()
    ]
    assert documents
    assert missing == []


def test_the_commands_that_the_readme_names_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for name in ("README.md", "CONTRIBUTING.md"):
        named = set(re.findall(r"\bmake ([a-z-]+)", (ROOT / name).read_text()))
        assert named
        assert named <= targets


def test_the_tables_are_read_as_they_are_written() -> None:
    text = "| command | fields |\n|---|---|\n| `a.b` | `x`, `y`? |\n\n| event | fields |\n|---|---|\n| `a.bed` | |\n"
    assert table(text, "command") == [["`a.b`", "`x`, `y`?"]]
    assert table(text, "event") == [["`a.bed`", ""]]
    assert names_in("`x` (person), `y`?") == {"x": False, "y": True}
