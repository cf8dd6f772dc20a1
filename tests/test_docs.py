"""The documents say what the code does: the wire protocol, the settings, the links, the example for contributors."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

import chat.protocol
import hubbub.protocol
import monitor.protocol
from chat.conf import Chat
from chat.protocol import COMMANDS, Changed, History, Joined, Posted
from hubbub.conf import Hubbub
from hubbub.process.metrics import report
from hubbub.process.security_log import Kind
from hubbub.protocol import Auth, CloseCode, Command, Error, ErrorCode, Event, Ok, Pong
from hubbub.topics import frames
from monitor.conf import Monitor
from project.accounts.conf import Accounts
from project.tunables import env_name, limits_of

ROOT = Path(__file__).resolve().parent.parent
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
SECURITY = (ROOT / "SECURITY.md").read_text()

# What each command's `ok` is; `ping` and `auth` are answered otherwise.
ANSWERS: dict[str, type[Ok]] = {
    "room.join": Joined,
    "room.leave": Ok,
    "room.history": History,
    "message.post": Posted,
    "message.edit": Changed,
    "message.delete": Changed,
}

# Read, but not for anybody to set: the system's, and Django's word to its reloaded self.
NOT_OURS = {"PATH", "PWD", "RUN_MAIN"}

Row = list[str]
Fields = dict[str, bool]  # Name to: may be left out.


def table(text: str, heading: str) -> list[Row]:
    """The rows, as texts of cells, of all tables whose first column is called `heading`."""
    rows, inside = [], False
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")] if line.startswith("|") else []
        if not cells:
            inside = False
        elif cells[0] == heading:
            inside = True
        elif inside and not set(cells[0]) <= set("-: "):
            rows.append(cells)
    return rows


def names_in(cell: str) -> Fields:
    """{name: whether a `?` follows} of what stands in backticks."""
    return {name: bool(mark) for name, mark in re.findall(r"`([^`]+)`(\??)", cell)}


def documented(heading: str, column: int = 1) -> dict[str, Fields]:
    rows = table(PROTOCOL, heading)
    found = {row[0].strip("`"): names_in(row[column]) for row in rows}
    assert len(found) == len(rows), f"a {heading} stands there twice"
    return found


def structs(module: Any) -> Iterator[type[msgspec.Struct]]:
    """The public frames and objects that a protocol module defines, without the bases of others."""
    for name, value in vars(module).items():
        is_ours = isinstance(value, type) and value.__module__ == module.__name__ and not name.startswith("_")
        if is_ours and issubclass(value, msgspec.Struct) and value is not Command and not is_base_event(value):
            yield value


def is_base_event(struct: type[msgspec.Struct]) -> bool:
    return issubclass(struct, Event) and bool(struct.__subclasses__())


def fields_of(struct: type[msgspec.Struct], *, without: str = "") -> Fields:
    """What a client may leave out, or we may: a field with a default, unless we always write it."""
    may_omit = issubclass(struct, Command) or struct.__struct_config__.omit_defaults
    found = {one.encode_name: may_omit and not one.required for one in msgspec.structs.fields(struct)}
    found.pop(without, None)
    return found


ALL = [one for module in (hubbub.protocol, chat.protocol, monitor.protocol) for one in structs(module)]


def test_every_command_is_documented_and_no_other() -> None:
    commands = [one for one in ALL if issubclass(one, Command)]
    assert set(commands) == set(get_args(COMMANDS))
    expected = {str(one.__struct_config__.tag): fields_of(one, without="ref") for one in commands}
    assert documented("command") == {**expected, "auth": fields_of(Auth)}


def test_every_answer_is_documented_and_no_other() -> None:
    answers = {command: fields_of(answer, without="ref") for command, answer in ANSWERS.items()}
    written = {command: given for command, given in documented("command", 2).items() if command in ANSWERS}
    assert written == answers
    assert {one for one in ALL if issubclass(one, Ok)} == {*ANSWERS.values()}
    # `Ok.ref` has a default only until the command's own is filled in: it is always sent.
    assert documented("answer") == {"ok": {"ref": False}, "error": fields_of(Error), "pong": fields_of(Pong)}


def test_every_event_is_documented_and_no_other() -> None:
    events = {str(one.__struct_config__.tag): fields_of(one) for one in ALL if issubclass(one, Event)}
    assert documented("event") == events


def test_every_object_is_documented_and_no_other() -> None:
    objects = [one for one in ALL if not issubclass(one, Command | Ok | Event | Auth | Error | Pong)]
    expected = {}
    for one in objects:
        kind = {one.__struct_config__.tag_field: False} if one.__struct_config__.tag_field else {}
        expected[re.sub(r"(?<=[a-z])(?=[A-Z])", " ", one.__name__).lower()] = kind | fields_of(one)
    assert documented("object") == expected


@pytest.mark.parametrize(("heading", "codes"), [("error code", ErrorCode), ("close code", CloseCode)])
def test_every_code_is_documented_and_no_other(heading: str, codes: type) -> None:
    written = [row[0].strip("`") for row in table(PROTOCOL, heading)]
    assert written == [str(value) for name, value in vars(codes).items() if name.isupper()]


def test_codes_that_are_said_to_be_reserved_are_not_sent() -> None:
    sources = "".join(path.read_text() for app in ("hubbub", "chat", "monitor") for path in (ROOT / app).rglob("*.py"))
    for heading, codes in (("error code", ErrorCode), ("close code", CloseCode)):
        names = {str(value): name for name, value in vars(codes).items() if name.isupper()}
        said = {row[0].strip("`") for row in table(PROTOCOL, heading) if "reserved" in row[1]}
        unused = {value for value, name in names.items() if f"{codes.__name__}.{name}" not in sources}
        assert said == unused


def test_every_frame_of_topics_is_documented_and_no_other() -> None:
    own = [frame for frame in structs(frames) if frame.__struct_config__.tag is not None]
    commands = {str(frame.__struct_config__.tag): frame for frame in own if issubclass(frame, Command)}
    events = {str(frame.__struct_config__.tag): frame for frame in own if not issubclass(frame, Command | Ok)}
    other = "any other `type"  # Without the mark at its end.
    written = documented("topic command")
    assert written.pop(other) == {"topic": False, "id": True}
    assert written == {name: fields_of(frame, without="ref") for name, frame in commands.items()}
    answers = documented("topic command", 2)
    assert answers.pop(other) == fields_of(frames.Done, without="ref")
    assert answers == {"join": fields_of(frames.Joined, without="ref"), "leave": {"topic": False}}
    written = documented("topic event")
    assert written.pop(other) == {"topic": False, "position": True}
    assert written == {name: fields_of(frame) for name, frame in events.items()}


# Settings


def test_every_tunable_is_documented_with_default_bounds_and_reason() -> None:
    expected = [
        f"| `{env_name(field.name)}` | {field.default} | {limits.ge} to {limits.le} | {limits.description} |"
        for tunables in (Hubbub, Chat, Monitor, Accounts)
        for field in msgspec.structs.fields(tunables)
        for limits in [limits_of(field)]
    ]
    # A tunable that is new or has changed: put the line that stands here into docs/settings.md.
    assert [line for line in SETTINGS.splitlines() if line.startswith("| `HUBBUB_") and " to " in line] == expected


def test_every_other_variable_is_documented_with_its_default() -> None:
    written = {row[0].strip("`"): row[1].strip("`") for row in table(SETTINGS, "variable")}
    read = variables_read()
    assert written.keys() == read.keys()
    assert {name: written[name] for name, default in read.items() if default is not None} == {
        name: default for name, default in read.items() if default is not None
    }


def variables_read() -> dict[str, str | None]:
    """The environment variables that the code reads by name, with their defaults where these are plain words."""
    found: dict[str, str | None] = {}
    for app in ("project", "hubbub", "chat", "monitor"):
        for path in (ROOT / app).rglob("*.py"):
            for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
                called = ast.unparse(call.func)
                if called == "os.environ.get" or called.startswith("env.read_"):
                    name, default = read_variable(call)
                    if name and found.get(name) is None:
                        found[name] = default
    return {name: default for name, default in found.items() if name not in NOT_OURS}


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
    found = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            found.add(node.name)
        if isinstance(node, ast.ClassDef):
            found |= {
                f"{node.name}.{method.name}"
                for method in node.body
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef)
            }
    return found


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
