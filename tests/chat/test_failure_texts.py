"""The page knows the details of the chat's refusals, so that it can say them in the language of the reader."""

import ast
import re
from collections.abc import Iterator

from tests.support.servers import ROOT

# The page says them by their code alone.
BY_CODE = {"RATE_LIMITED", "UNAVAILABLE", "NOT_FOUND", "INTERNAL"}
# Answers to programs: the page sends no such command.
NOT_OF_THE_PAGE = {"Give exactly one of before, since and around.", "Place: not the `next` of a page."}


def refusals() -> Iterator[str]:
    """The details of refusals in the chat, as sentences, with … for each value."""
    for path in sorted((ROOT / "chat").glob("*.py")):
        tree = ast.parse(path.read_text())
        constants = {
            node.targets[0].id: node.value
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Refused":
                code, detail = node.args[:2]
                if isinstance(detail, ast.Name):
                    detail = constants[detail.id]
                if isinstance(code, ast.Attribute) and code.attr not in BY_CODE and (text := as_text(detail)):
                    yield f"{text[0].upper()}{text[1:]}."


def as_text(detail: ast.AST) -> str:
    match detail:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=[ast.FormattedValue(), *_]):
            return ""  # The name of a field, and the text of a validator.
        case ast.JoinedStr(values=parts):
            return "".join(as_text(part) or "…" for part in parts)
    return ""


def known() -> set[str]:
    script = (ROOT / "chat" / "static" / "chat" / "js" / "failure-texts.js").read_text()
    return {re.sub(r"%\(\w+\)s", "…", text) for text in re.findall(r'gettext_noop\("([^"]+)"\)', script)}


def test_each_detail_of_a_refusal_has_a_translation() -> None:
    found = set(refusals())
    assert len(found) > 20
    assert found - known() - NOT_OF_THE_PAGE == set()
