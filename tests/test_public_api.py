"""The public interface of the engine: names, docstrings, the reference, and the imports of chat and monitor."""

import ast
import inspect
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import msgspec
import pytest

from hubbub.templatetags.hubbub import register
from tests.support.documents import ROOT, table

REFERENCE = (ROOT / "docs" / "reference.md").read_text()
MODULES = (
    "hubbub",
    *(f"hubbub.{name}" for name in ("asgi", "auth", "conf", "consumers", "layer", "protocol", "queries", "redis")),
    *(
        f"hubbub.{name}"
        for name in ("process", "signals", "text", "users", "admin_services", "testing", "topics", "client")
    ),
)
FEATURES = ("chat", "monitor")
# A docstring names a result by these, where the function returns something.
RESULT = re.compile(
    r"\b([Rr]eturns?|[Ww]hether|Yields|Collect)\b|\A(The|A|An|All|As|Call|Compose|Declare|Find|Join|Make|Name|Read)\b"
)

# A number that may be a fraction has a unit, in its name or in the docstring.
UNIT = re.compile(r"second|_ms\b|millisecond|byte")
# The bounds of a setting have that setting's own unit.
WITHOUT_UNIT = {"low", "high"}
# Django's own, which say nothing more in a docstring.
OBVIOUS = {"self", "cls", "user", "request"}


def names_of(module: str) -> list[str]:
    return list(import_module(module).__all__)


# Imports of the features


def private_imports(source: str) -> list[str]:
    """The modules and names of the engine that a file imports, and that are not public."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if is_private_module(alias.name)]
        elif isinstance(node, ast.ImportFrom) and is_of_engine(node.module or ""):
            assert node.module is not None
            found += [f"{node.module}.{alias.name}" for alias in node.names if not is_public(node.module, alias.name)]
    return found


def is_of_engine(module: str) -> bool:
    return module.split(".")[0] == "hubbub"


def is_private_module(module: str) -> bool:
    return is_of_engine(module) and module not in MODULES


def is_public(module: str, name: str) -> bool:
    return (module in MODULES and name in names_of(module)) or f"{module}.{name}" in MODULES


@pytest.mark.parametrize("app", FEATURES)
def test_a_feature_imports_public_names_only(app: str) -> None:
    files = [*(ROOT / app).rglob("*.py")]
    assert files
    private = {str(path.relative_to(ROOT)): found for path in files if (found := private_imports(path.read_text()))}
    assert private == {}


@pytest.mark.parametrize("app", FEATURES)
def test_a_feature_uses_public_attributes_of_modules_only(app: str) -> None:
    """`from hubbub import users` and then `users.private_function()`."""
    private = {}
    for path in (ROOT / app).rglob("*.py"):
        tree = ast.parse(path.read_text())
        modules = {
            alias.asname or alias.name: f"hubbub.{alias.name}"
            for node in ast.walk(tree)
            if isinstance(node, ast.ImportFrom) and node.module == "hubbub"
            for alias in node.names
            if f"hubbub.{alias.name}" in MODULES
        }
        found = [
            f"{modules[node.value.id]}.{node.attr}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in modules
            if node.attr not in names_of(modules[node.value.id]) and node.value.id not in arguments_of(tree)
        ]
        if found:
            private[str(path.relative_to(ROOT))] = found
    assert private == {}


def arguments_of(tree: ast.AST) -> set[str]:
    """The names of all arguments in a file: such a name is no module."""
    return {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from hubbub import Topic, users", []),
        ("from hubbub.auth import Identity", []),
        ("import hubbub.asgi", []),
        ("import json\nfrom chat import access", []),
        ("from hubbub import publish", ["hubbub.publish"]),
        ("from hubbub.auth.identity import Identity", ["hubbub.auth.identity.Identity"]),
        ("from hubbub.queries import quoted", ["hubbub.queries.quoted"]),
        ("def f():\n    import hubbub.delivery.hub", ["hubbub.delivery.hub"]),
    ],
)
def test_private_imports_are_found(source: str, found: list[str]) -> None:
    assert private_imports(source) == found


# Names and docstrings


@pytest.mark.parametrize("module", MODULES)
def test_every_public_name_exists_once_and_in_order(module: str) -> None:
    loaded, names = import_module(module), names_of(module)
    assert loaded.__doc__
    assert [name for name in names if not hasattr(loaded, name)] == []
    assert len(set(names)) == len(names)


def functions_of(module: str) -> Iterator[tuple[str, Any]]:
    """The public functions and classes, and the public methods that the classes declare themselves."""
    for name in names_of(module):
        value = getattr(import_module(module), name)
        function = getattr(value, "__wrapped__", value)  # Of a cache or a context.
        if inspect.isfunction(function):
            yield f"{module}.{name}", function
        elif inspect.isclass(value):
            yield f"{module}.{name}", value
            if not issubclass(value, msgspec.Struct):
                yield from methods_of(f"{module}.{name}", value)


def methods_of(where: str, cls: type) -> Iterator[tuple[str, Any]]:
    for name, value in vars(cls).items():
        function = getattr(value, "__func__", value)
        is_inherited = any(hasattr(base, name) for base in cls.__bases__)
        if not name.startswith("_") and inspect.isfunction(function) and not is_inherited:
            yield f"{where}.{name}", function


def problems_of(function: Any) -> list[str]:
    """What the docstring of a function or class lacks."""
    text = inspect.getdoc(function) or ""
    if not text:
        return ["has no docstring"]
    if inspect.isclass(function):
        return []
    lacking = [
        f"argument {name}"
        for name in inspect.signature(function).parameters
        if name not in OBVIOUS and not re.search(rf"\b{name}\b", text)
    ]
    lacking += [
        f"unit of {name}"
        for name, annotation in function.__annotations__.items()
        if "float" in str(annotation) and name not in WITHOUT_UNIT and not UNIT.search(f"{name} {text}")
    ]
    returned = function.__annotations__.get("return")
    if returned not in (None, "None", type(None)) and not RESULT.search(text):
        lacking.append("result")
    return lacking + [f"error {name}" for name in raised_by(function) if name not in text]


def raised_by(function: Any) -> list[str]:
    """The classes of exceptions that the function itself raises."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(function))))
    raised = [node.exc for node in ast.walk(tree) if isinstance(node, ast.Raise) and node.exc is not None]
    called = [error.func if isinstance(error, ast.Call) else error for error in raised]
    names = [ast.unparse(error).split(".")[-1] for error in called]
    return [name for name in names if name[0].isupper() and name != "NotImplementedError"]


@pytest.mark.parametrize("module", MODULES)
def test_docstrings_have_arguments_results_and_errors(module: str) -> None:
    lacking = {where: problems for where, function in functions_of(module) if (problems := problems_of(function))}
    assert lacking == {}


def undocumented(path: str) -> int: ...


def half_documented(path: str, seconds: float) -> int:
    """The size of a file.

    Args:
        path: of the file.
    """
    raise ValueError(path)


def without_result(path: str) -> int:
    """Look at `path`."""
    return 1


def without_unit(wait: float) -> None:
    """Wait as long as `wait` says."""


def test_a_docstring_that_lacks_something_is_found() -> None:
    assert problems_of(undocumented) == ["has no docstring"]
    assert problems_of(half_documented) == ["argument seconds", "error ValueError"]
    assert problems_of(without_result) == ["result"]
    assert problems_of(without_unit) == ["unit of wait"]


# The reference


def test_the_reference_lists_exactly_the_public_modules_and_names() -> None:
    assert tuple(re.findall(r"^## `(hubbub[\w.]*)`$", REFERENCE, re.MULTILINE)) == MODULES
    for module in MODULES:
        section = REFERENCE.partition(f"## `{module}`\n")[2].partition("\n## ")[0]
        rows = table(section, "name")
        assert [row[0] for row in rows] == [f"`{name}`" for name in names_of(module)], module
        assert all(len(row) == 2 and row[1] for row in rows), module


def test_all_else_in_the_engine_is_private() -> None:
    """A module that gets `__all__` becomes part of the promise, so it is listed."""
    with_all = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in (ROOT / "hubbub").rglob("*.py")
        if re.search(r"^__all__ = ", path.read_text(), re.MULTILINE)
    }
    assert set(MODULES) <= with_all
    assert with_all - set(MODULES) <= {"hubbub.checks", "hubbub.publish"}  # Of the engine's own packages.


# Scripts and tags

SCRIPT_IMPORT = re.compile(r'import \{([^}]*)\} from "[./]*/hubbub/js/([\w-]+\.js)"')
STATIC = ROOT / "hubbub" / "static" / "hubbub" / "js"


def public_exports() -> dict[str, set[str]]:
    """The public names of each script."""
    rows = table(REFERENCE, "script of `hubbub/js/`")
    return {row[0].strip("`"): {*re.findall(r"`(\w+)`", row[1])} for row in rows}


def test_public_scripts_export_what_the_reference_says() -> None:
    for name, exports in public_exports().items():
        text = (STATIC / name).read_text()
        declared = re.findall(r"^export (?:class|const|function|async function) (\w+)", text, re.MULTILINE)
        passed_on = re.findall(r"\w+", " ".join(re.findall(r"^export \{([^}]*)\}", text, re.MULTILINE)))
        assert exports <= {*declared, *passed_on}, name


@pytest.mark.parametrize("app", FEATURES)
def test_scripts_of_a_feature_import_public_names_only(app: str) -> None:
    exports, imported = public_exports(), set()
    for path in (ROOT / app / "static").rglob("*.js"):
        if "vendor" not in path.parts:
            text = re.sub(r"/\*\*.*?\*/", "", path.read_text(), flags=re.DOTALL)  # Types are no code.
            assert text.count("/hubbub/js/") == len(SCRIPT_IMPORT.findall(text)), path
            imported |= {
                (module, name.strip()) for names, module in SCRIPT_IMPORT.findall(text) for name in names.split(",")
            }
    assert imported
    assert {(module, name) for module, name in imported if name not in exports.get(module, ())} == set()


@pytest.mark.parametrize(("kind", "registered"), [("tag", register.tags), ("filter", register.filters)])
def test_the_reference_lists_the_template_tags(kind: str, registered: Any) -> None:
    assert {row[0].strip("`") for row in table(REFERENCE, f"{kind} of `{{% load hubbub %}}`")} == {*registered}
