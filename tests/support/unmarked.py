"""Finds texts for readers that are not marked for translation, as far as their form tells them from other literals."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

WORDS = re.compile(r"[^\W\d_]{2,}")
SENTENCE = re.compile(r"^[“(]?[A-Z][\w’']*[.…]?$|[^\W\d_]{2,} [^\W\d_]+")
SHOWN_ATTRIBUTES = {"aria-label", "title", "placeholder", "alt", "data-own-label", "label"}

# Python: arguments and attributes that are shown.
SHOWN_KEYWORDS = {"label", "help_text", "verbose_name", "verbose_name_plural", "description", "empty_label"}
SHOWN_NAMES = {"search_help_text", "short_description", "title", "verbose_name", "verbose_name_plural"}
SHOWING_CALLS = {"ValidationError": 0} | dict.fromkeys(
    ("success", "info", "warning", "error", "message_user", "add_error"), 1
)
MARKUP_CALLS = {"format_html", "format_html_join", "mark_safe"}
# Of commands, settings and declarations, which speak to developers and operators.
NOT_SHOWN = {"bounds", "Meta", "add_argument", "warning_of", "CheckMessage"}


def in_python(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and name_of(node.func) not in NOT_SHOWN:
            yield from (text_of(word.value) for word in node.keywords if word.arg in SHOWN_KEYWORDS)
            place = SHOWING_CALLS.get(name_of(node.func))
            is_log = isinstance(node.func, ast.Attribute) and name_of(node.func.value) in ("logger", "log")
            if place is not None and not is_log and len(node.args) > place:
                yield text_of(node.args[place])
            if name_of(node.func) in MARKUP_CALLS:
                yield from (
                    text.strip() for text in Shown(" ".join(map(text_of, node.args))).texts if WORDS.search(text)
                )
        elif isinstance(node, ast.Assign) and any(name_of(target) in SHOWN_NAMES for target in node.targets):
            yield text_of(node.value)


def name_of(node: ast.AST) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def text_of(node: ast.AST) -> str:
    """The words of a literal."""
    match node:
        case ast.Constant(value=str() as text):
            return text if WORDS.search(text) else ""
        case ast.JoinedStr(values=parts):
            return " ".join(filter(None, (text_of(part) for part in parts)))
        case ast.IfExp(body=one, orelse=other):
            return text_of(one) or text_of(other)
    return ""


# Templates

MARKED = (r"\{#.*?#\}", r"\{% comment %\}.*?\{% endcomment %\}", r"\{% blocktranslate.*?endblocktranslate %\}")


class Shown(HTMLParser):
    """The texts and shown attributes of a page."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self._hidden = 0
        self.feed(source)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._hidden += tag in ("script", "style", "code")
        values = dict(attrs)
        names = SHOWN_ATTRIBUTES | ({"value"} if tag == "input" and values.get("type") == "submit" else set())
        self.texts += [value for name, value in attrs if name in names and value]

    def handle_endtag(self, tag: str) -> None:
        self._hidden -= tag in ("script", "style", "code")

    def handle_data(self, data: str) -> None:
        if not self._hidden:
            self.texts.append(data)


def in_template(path: Path) -> Iterator[str]:
    source = path.read_text()
    for pattern in MARKED:
        source = re.sub(pattern, "", source, flags=re.DOTALL)
    for tag in re.findall(r"\{[{%].*?[%}]\}", source):
        yield from re.findall(r'\|default(?:_if_none)?:"([^"]*[^\W\d_][^"]*)"', tag)
        if "include" in tag:
            yield from re.findall(r'\b(?:submit|label)="([^"]*[^\W\d_][^"]*)"', tag)
    source = re.sub(r"\{[{%].*?[%}]\}", "", source, flags=re.DOTALL)
    yield from (text.strip() for text in Shown(source).texts if WORDS.search(text))


# Scripts

# The code before a literal that no reader sees, or that is marked.
QUIET = re.compile(r"(gettext(_noop)?\([^()]*|\bError\(|querySelector(All)?\(|import .*)$")


def in_script(path: Path) -> Iterator[str]:
    for kind, before, text in literals(path.read_text()):
        before = re.sub(r'"(?:[^"\\]|\\.)*"', '""', before)
        if kind == "html":
            yield from (part.replace("\0", "…").strip() for part in Shown(text).texts if WORDS.search(part))
        elif (
            SENTENCE.search(text) and not QUIET.search(before) and (kind == "template" or re.match(r"[“(]?[A-Z]", text))
        ):
            yield text.replace("\0", "…").strip()


def literals(source: str) -> Iterator[tuple[str, str, str]]:
    """Each string and template of a script: its kind, the code before it, its text with NUL for each expression."""
    yield from _code(source, 0, [])[1]


def _code(source: str, at: int, found: list[tuple[str, str, str]]) -> tuple[int, list[tuple[str, str, str]]]:
    """Read code up to the bracket that closes it, or the end."""
    depth, start = 0, at
    while at < len(source):
        rest, char = source[at : at + 2], source[at]
        if rest in ("//", "/*"):
            end = source.find("\n" if rest == "//" else "*/", at)
            at = len(source) if end < 0 else end + len(rest) - (rest == "//")
            continue
        if char in "\"'":
            string = re.compile(rf"{char}((?:[^{char}\\]|\\.)*){char}", re.DOTALL).match(source, at)
            assert string, source[at : at + 80]
            found.append(("string", source[max(start, at - 120) : at], string[1]))
            at = string.end()
            continue
        if char == "/" and re.search(r"(^|[(,=:\[!&|?{};>]|return)\s*$", source[max(0, at - 20) : at]):
            regex = re.compile(r"/(?:\[(?:[^\]\\]|\\.)*\]|[^/\\\n\[]|\\.)+/").match(source, at)
            at = regex.end() if regex else at + 1
            continue
        if char == "`":
            at, found = _template(source, at, found)
            continue
        depth += (char == "{") - (char == "}")
        if depth < 0:
            return at, found
        at += 1
    return at, found


def _template(source: str, at: int, found: list[tuple[str, str, str]]) -> tuple[int, list[tuple[str, str, str]]]:
    kind = "html" if re.search(r"\b(html|svg)$", source[:at]) else "template"
    before, text = source[max(0, at - 120) : at], ""
    at += 1
    while source[at] != "`":
        if source.startswith("${", at):
            at, found = _code(source, at + 2, found)
            text += "\0"
        elif source[at] == "\\":
            at += 1
        else:
            text += source[at]
        at += 1
    return at + 1, [*found, (kind, before, text)]
