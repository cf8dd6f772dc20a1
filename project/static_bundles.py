"""Bundles of ES modules: over HTTP/1.1 a browser fetches six files at a time, and a page of ninety modules came late.

`collectstatic` replaces each entry script by its bundle. Nothing is built while one develops: with DEBUG, and in the
tests of scripts, the modules are used as they are. A module is one instance on a page, in however many bundles it
stands: the first bundle that comes to it runs it. Only the forms of import and export that our scripts and the
vendored ones use are known; any other one is an error.
"""

import posixpath
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

COMMENTS = re.compile(r"^[ \t]*/\*\*(?:(?!\*/).)*\*/[ \t]*\n|^[ \t]*//[^\n]*\n", re.DOTALL | re.MULTILINE)
STATEMENT = r"(?:(?<=^)|(?<=[;}\n]))"
IMPORT = re.compile(
    STATEMENT + r'import\s*(?:(?P<default>[\w$]+)|\{(?P<names>[^}]*)\})?\s*(?:from)?\s*"(?P<path>\.[^"]+)";'
)
REEXPORT = re.compile(STATEMENT + r'export\s*\{(?P<names>[^}]*)\}\s*from\s*"(?P<path>\.[^"]+)";')
EXPORT_LIST = re.compile(STATEMENT + r"export\s*\{(?P<names>[^}]*)\};?")
EXPORT = re.compile(r"^export (?P<rest>(?:async function|function|class|const) (?P<name>[\w$]+))", re.MULTILINE)
DEFAULT = re.compile(r"^export default (?!function|class)", re.MULTILINE)
DYNAMIC = re.compile(r'(?<![\w.@])import\("(?P<path>\.[^"]+)"\)')
LEFT = re.compile(STATEMENT + r"(?:import\s*[\w{*\"]|export\s*[\w{*])[^\n]{0,60}")
# Before the modules of each bundle.
HEAD = """const modules = (globalThis[Symbol.for("hubbub.modules")] ??= new Map());
const define = (name, make) => modules.has(name) || modules.set(name, make());
"""


class NotBundled(Exception):
    """A script has a form that bundles do not know."""


@dataclass(frozen=True, slots=True)
class Module:
    """A script. `imports` are names of scripts, in order; `exports` are exported names with those of its own code."""

    name: str
    code: str
    imports: tuple[str, ...]
    exports: Mapping[str, str]
    loads: tuple[str, ...] = field(default=())


def parse(name: str, source: str) -> Module:
    """Read the imports and exports of a script.

    Args:
        name: its path below the static root, such as `chat/js/room.js`.

    Raises:
        NotBundled: it has a form that is not known.
    """
    imports: list[str] = []
    exports: dict[str, str] = {}
    loads: list[str] = []
    # Comments of libraries stay: they have licences.
    is_ours = "/vendor/" not in name
    code = COMMENTS.sub("", source) if is_ours else source

    def use(match: re.Match[str]) -> str:
        target = _beside(name, match["path"])
        imports.append(target)
        if match["default"]:
            return f'const {{ default: {match["default"]} }} = modules.get("{target}");'
        if match["names"] is None:
            return ""
        names = ", ".join(f"{theirs}: {ours}" for theirs, ours in _pairs(match["names"]))
        return f'const {{ {names} }} = modules.get("{target}");'

    def pass_on(match: re.Match[str]) -> str:
        target = _beside(name, match["path"])
        imports.append(target)
        exports.update({ours: f'modules.get("{target}").{theirs}' for theirs, ours in _pairs(match["names"])})
        return ""

    def declare(match: re.Match[str]) -> str:
        exports[match["name"]] = match["name"]
        return match["rest"]

    def load(match: re.Match[str]) -> str:
        loads.append(_beside(name, match["path"]))
        return match[0]

    code = IMPORT.sub(use, REEXPORT.sub(pass_on, code))
    code = EXPORT.sub(declare, code) if is_ours else code
    code = EXPORT_LIST.sub(lambda match: exports.update({a: b for b, a in _pairs(match["names"])}) or "", code)
    if DEFAULT.search(code):
        exports["default"] = "defaultExport"
        code = DEFAULT.sub("const defaultExport = ", code)
    DYNAMIC.sub(load, code)
    if is_ours and (left := LEFT.search(code)) is not None:
        line = source[: source.find(left[0])].count("\n") + 1
        raise NotBundled(f"{name}, line {line}: a bundle does not know this form: {left[0].strip()}")
    return Module(name, code, tuple(imports), exports, tuple(loads))


def in_order(entry: str, read: Callable[[str], Module]) -> list[Module]:
    """The modules of an entry script, each after those that it imports.

    Raises:
        NotBundled: modules import each other in a circle, or one has a form that is not known.
    """
    done: dict[str, Module] = {}
    open_: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name in open_:
            raise NotBundled(f"{name}: modules import each other in a circle: {' → '.join([*open_, name])}")
        open_.append(name)
        module = read(name)
        for target in module.imports:
            visit(target)
        open_.pop()
        done[name] = module

    visit(entry)
    return list(done.values())


def bundle(place: str, modules: Iterable[Module], *, first: Iterable[str] = (), entry: Module | None = None) -> str:
    """The text of a bundle.

    Args:
        place: the path of its file; addresses in it are relative to that.
        modules: in order.
        first: the paths of bundles that must run before it.
        entry: the module whose exports are those of the bundle.
    """
    lines = [f'import "{_relative(place, path)}";\n' for path in first]
    lines += [HEAD, *(_defined(place, module) for module in modules)]
    if entry is not None and entry.exports and "default" not in entry.exports:
        lines.append(f'export const {{ {", ".join(entry.exports)} }} = modules.get("{entry.name}");\n')
    return "".join(lines)


def _defined(place: str, module: Module) -> str:
    def moved(match: re.Match[str]) -> str:
        return f'import("{_relative(place, _beside(module.name, match["path"]))}")'

    own = f'new URL("{_relative(place, module.name)}", import.meta.url).href'
    code = DYNAMIC.sub(moved, module.code).replace("import.meta.url", own)
    exports = ", ".join(f"{name}: {own}" for name, own in module.exports.items())
    return f'define("{module.name}", () => {{\n{code.rstrip()}\nreturn {{ {exports} }};\n}});\n'


def _pairs(names: str) -> Iterator[tuple[str, str]]:
    """`a, b as c` as pairs: (a, a), (b, c)."""
    for part in filter(None, (part.strip() for part in names.split(","))):
        first, _, second = part.partition(" as ")
        yield first.strip(), (second or first).strip()


def _beside(name: str, path: str) -> str:
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), path))


def _relative(place: str, target: str) -> str:
    path = posixpath.relpath(target, posixpath.dirname(place))
    return path if path.startswith(".") else f"./{path}"
