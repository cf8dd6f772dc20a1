"""The rules of docs/architecture.md that a reader cannot see at a glance.

Imports are checked by import-linter, by the contracts in pyproject.toml. Each other rule is a function of modules to
complaints, and is shown here to complain about a small bad sample.
"""

import ast
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("chaos", "chat", "monitor", "project", "hubbub")

WRITES = {"save", "create", "update", "delete", "get_or_create", "update_or_create", "bulk_create", "bulk_update"}
WRITES |= {f"a{name}" for name in WRITES}
# The monitor has no rows.
WRITERS = {
    f"chat.{name}" for name in ("services", "posting", "deletion", "reading", "telling", "managing", "restoring")
}
WRITERS |= {"hubbub.auth.tokens", "hubbub.site", "hubbub.topics.positions", "hubbub.topics.once"}
MAY_ASK_FOR_OBJECTS = {"models", "access", "revocation", "services", "deletion", "history", "room_lists", "admin"}
MAY_ASK_FOR_OBJECTS |= {"reading", "telling", "managing", "members", "restoring"}
JSON_MODULES = {"json", "orjson", "simplejson", "ujson", "msgspec.json"}
# Reads what another process's /readyz says, before any socket: not the wire.
MAY_USE_JSON = {"hubbub.supervisor.liveness"}
LAYER_USERS = {"hubbub.publish.sender", "hubbub.publish.process_sender", "hubbub.delivery.hub"}
LAYER_USERS |= {"hubbub.testing.services"}  # In place of Redis.
SENDERS = {"hubbub.publish.sender", "hubbub.delivery.layer"}


@dataclass
class Module:
    """A module by its dotted name, with everything that it imports, anywhere in it, as dotted names."""

    name: str
    tree: ast.Module
    imports: set[str] = field(default_factory=set)

    @property
    def app(self) -> str:
        return self.name.split(".")[0]

    @property
    def part(self) -> str:
        """`services` of `chat.services`; empty for what lies deeper."""
        return self.name.split(".")[1] if self.name.count(".") == 1 else ""

    def attributes(self) -> Iterator[ast.Attribute]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Attribute))

    def calls(self) -> Iterator[ast.Call]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.Call))


Modules = dict[str, Module]
Rule = Callable[[Modules], list[str]]


def read(sources: dict[str, str]) -> Modules:
    """{dotted name: source} as modules. An imported name counts as a module where there is one of that name."""
    modules = {name: Module(name, ast.parse(source)) for name, source in sources.items()}
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Import):
                module.imports |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{module.name}: imports are absolute here"
                source = node.module or ""
                module.imports |= {
                    one if (one := f"{source}.{alias.name}") in modules or one in JSON_MODULES else source
                    for alias in node.names
                }
    return modules


@cache
def own_modules() -> Modules:
    sources = {}
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts:
                parts = path.relative_to(ROOT).with_suffix("").parts
                sources[".".join(parts).removesuffix(".__init__")] = path.read_text()
    return read(sources)


# The rules


def imports_in_no_circle(modules: Modules) -> list[str]:
    graph = {module.name: module.imports & modules.keys() - {module.name} for module in modules.values()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return [" <- ".join(error.args[1])]
    return []


def only_protocol_touches_json(modules: Modules) -> list[str]:
    complaints = []
    for module in modules.values():
        if module.part == "protocol" or module.name in MAY_USE_JSON:
            continue
        complaints += [f"{module.name} imports {name}" for name in module.imports & JSON_MODULES]
        complaints += [
            f"{module.name}:{node.lineno} uses msgspec.json"
            for node in module.attributes()
            if node.attr == "json" and isinstance(node.value, ast.Name) and node.value.id == "msgspec"
        ]
    return complaints


def only_some_ask_for_objects(modules: Modules) -> list[str]:
    """Consumers, views and what builds frames are given objects, by access, services and history."""
    return [
        f"{module.name}:{node.lineno} uses .{node.attr}"
        for module in modules.values()
        if module.app == "chat" and module.part not in MAY_ASK_FOR_OBJECTS
        for node in module.attributes()
        if node.attr in ("objects", "_default_manager")
    ]


def only_services_write_rows(modules: Modules) -> list[str]:
    return [
        f"{module.name}:{call.lineno} calls .{call.func.attr}()"
        for module in modules.values()
        if module.app in ("chat", "hubbub") and module.name not in WRITERS
        for call in module.calls()
        if isinstance(call.func, ast.Attribute) and call.func.attr in WRITES and not _is_unsaved(call)
    ]


def only_publish_sends_on_the_layer(modules: Modules) -> list[str]:
    complaints = [
        f"{module.name}:{node.lineno} uses group_send"
        for module in modules.values()
        if module.name not in SENDERS
        for node in module.attributes()
        if node.attr == "group_send"
    ]
    return complaints + [
        f"{module.name} imports channels.layers"
        for module in modules.values()
        if module.name not in LAYER_USERS and "channels.layers" in module.imports
    ]


def only_pacing_gives_turns(modules: Modules) -> list[str]:
    """`await asyncio.sleep(0)` stands in one place, with the size of a slice."""
    return [
        f"{module.name}:{call.lineno} calls asyncio.sleep(0)"
        for module in modules.values()
        if module.name != "hubbub.process.pacing"
        for call in module.calls()
        if ast.unparse(call) == "asyncio.sleep(0)"
    ]


def _is_unsaved(call: ast.Call) -> bool:
    """`form.save(commit=False)` writes nothing, and `super().save()` is the second half of the caller's `save()`."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
    if isinstance(receiver, ast.Call) and isinstance(receiver.func, ast.Name) and receiver.func.id == "super":
        return True
    return any(
        one.arg == "commit" and isinstance(one.value, ast.Constant) and not one.value.value for one in call.keywords
    )


# A sample that breaks the rule, and one that just keeps it.
SAMPLES: dict[Rule, list[tuple[dict[str, str], bool]]] = {
    imports_in_no_circle: [
        ({"hubbub.a": "from hubbub import b", "hubbub.b": "def f():\n    import hubbub.a"}, False),
        ({"hubbub.a": "from hubbub import b", "hubbub.b": "import os"}, True),
    ],
    only_protocol_touches_json: [
        ({"chat.services": "import json"}, False),
        ({"chat.services": "from json import dumps"}, False),
        ({"chat.services": "from msgspec import json"}, False),
        ({"chat.services": "import msgspec\nmsgspec.json.encode(1)"}, False),
        ({"chat.protocol": "import msgspec\nmsgspec.json.encode(1)", "chat.services": "import msgspec"}, True),
    ],
    only_some_ask_for_objects: [
        ({"chat.consumers": "Room.objects.get(pk=1)"}, False),
        ({"chat.access": "Room.objects.get(pk=1)"}, True),
    ],
    only_services_write_rows: [
        ({"chat.admin": "obj.save()"}, False),
        ({"chat.history": "Message.objects.filter(pk=1).update(body='')"}, False),
        ({"hubbub.admin": "token.delete()"}, False),
        ({"chat.services": "room.save()", "chat.admin": "form.save(commit=False)"}, True),
        ({"chat.models": "class Room:\n    def save(self):\n        super().save()"}, True),
    ],
    only_publish_sends_on_the_layer: [
        ({"chat.services": "async_to_sync(layer.group_send)('room', {})"}, False),
        ({"monitor.publisher": "from channels.layers import get_channel_layer"}, False),
        (
            {"hubbub.publish.sender": "from channels.layers import get_channel_layer\nlayer.group_send('room', {})"},
            True,
        ),
    ],
    only_pacing_gives_turns: [
        ({"chat.services": "import asyncio\nasync def f(): await asyncio.sleep(0)"}, False),
        ({"hubbub.process.pacing": "import asyncio\nasync def f(): await asyncio.sleep(0)"}, True),
        ({"chat.services": "import asyncio\nasync def f(): await asyncio.sleep(0.1)"}, True),
    ],
}


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo", "--no-cache"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)


@pytest.mark.slow
def test_imports_keep_their_direction() -> None:
    ran = lint_imports(ROOT)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
def test_an_import_in_the_wrong_direction_is_found(tmp_path: Path) -> None:
    for package in PACKAGES:
        ignore = shutil.ignore_patterns("static", "templates", "__pycache__")
        shutil.copytree(ROOT / package, tmp_path / package, ignore=ignore)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    with (tmp_path / "hubbub" / "delivery" / "hub.py").open("a") as hub:
        hub.write("\n\ndef later() -> None:\n    import chat.models\n    from hubbub import server\n")
    ran = lint_imports(tmp_path)
    assert ran.returncode == 1, ran.stderr
    for wrong in ("hubbub.delivery.hub -> chat.models", "hubbub.delivery.hub -> hubbub.server"):
        assert wrong in ran.stdout


@pytest.mark.parametrize("rule", SAMPLES, ids=lambda rule: rule.__name__)
def test_the_code_keeps_the_rule(rule: Rule) -> None:
    assert rule(own_modules()) == []


@pytest.mark.parametrize(
    ("rule", "sources", "is_good"),
    [
        pytest.param(rule, sources, is_good, id=f"{rule.__name__}-{number}")
        for rule, samples in SAMPLES.items()
        for number, (sources, is_good) in enumerate(samples)
    ],
)
def test_the_rule_tells_good_from_bad(rule: Rule, sources: dict[str, str], is_good: bool) -> None:
    assert (rule(read(sources)) == []) is is_good
