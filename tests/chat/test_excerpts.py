"""Excerpts of messages; and the parser of the server against the table that the page's parser is tested with."""

import json
import re
import time

import pytest
from markdown_it.token import Token

from chat.excerpts import excerpt, parser
from tests.support.servers import ROOT

CASES = json.loads((ROOT / "tests" / "chat" / "formatting.json").read_text())
NAMES = {"strong": "b", "em": "i", "s": "s", "blockquote": "quote", "ul": "ul", "li": "li", "p": "p"}


def outline(tokens: list[Token]) -> str:
    parts = []
    for token in tokens:
        if token.children is not None:
            parts.append(outline(token.children))
        elif token.type == "fence":
            parts.append(f"<pre{' ' if token.info else ''}{token.info}>{token.content}</pre>")
        elif token.type == "code_inline":
            parts.append(f"<code>{token.content}</code>")
        elif token.type in ("softbreak", "hardbreak"):
            parts.append("<br>")
        elif token.type == "ordered_list_open":
            parts.append(f"<ol {token.attrGet('start') or 1}>")
        elif token.type in ("ordered_list_close", "link_open", "link_close"):
            parts.append("</ol>" if token.type == "ordered_list_close" else "")
        elif token.nesting:
            parts.append(f"<{'/' if token.nesting < 0 else ''}{NAMES[token.tag]}>")
        else:
            parts.append(token.content)
    return re.sub(r"\s+", " ", "".join(parts))


@pytest.mark.parametrize(("text", "expected", "plain"), CASES, ids=[case[0][:20] for case in CASES])
def test_the_server_reads_the_formatting_as_the_page_does(text: str, expected: str, plain: str) -> None:
    # The page makes links of addresses and shows their targets. The server needs the text alone.
    without_links = re.sub(r"<a [^>]*>|</a>", "", expected)
    assert squeezed(outline(parser().parse(text))) == squeezed(without_links)
    assert excerpt(text, 200) == plain


def squeezed(text: str) -> str:
    return re.sub(r"\s*(<br>|</?p>|</pre>)\s*", r"\1", text)


def test_a_long_text_is_cut() -> None:
    assert excerpt("word " * 100, 20) == "word word word word…"
    assert excerpt("x" * 20, 20) == "x" * 20
    assert excerpt("x" * 21, 20) == "x" * 19 + "…"
    assert excerpt("\n" * 3000 + "late", 20) == ""


@pytest.mark.parametrize(
    "part", ["[", "*a_", "`a", ">", "- ", "~~a", "**a *b ", "<", "[a](", "\\", "a\n", "1. a\n", "http://a.b/"]
)
def test_a_hostile_text_takes_no_more_time_than_its_start(part: str) -> None:
    times = []
    for chars in (1_000, 100_000):
        text = (part * chars)[:chars]
        rounds = []
        for _ in range(5):
            before = time.perf_counter()
            excerpt(text, 120)
            rounds.append(time.perf_counter() - before)
        times.append(min(rounds))
    assert times[1] < 3 * times[0] + 0.005
