"""One line of plain text of a message, for lists. The page follows the same rules: static/chat/js/formatting.js."""

import functools
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.rules_inline import StateInline
    from markdown_it.token import Token

# Characters that are read for each one of the excerpt: marks of formatting are not in it.
READ_FACTOR = 4
KEPT = 2_048  # Last words of rooms are shown to many users. A text and its excerpt take at most 3 KB.
_OFF = [
    *("code", "entity", "heading", "hr", "html_block", "html_inline", "image"),
    *("lheading", "linkify", "reference", "table"),
]
_SCHEME = re.compile(r"(?<!\w)https?\Z", re.IGNORECASE)
_ADDRESS = re.compile(r"""://[^\s"'<>`\\]+""")
_NO_QUOTE = re.compile(r">+[^\s>]")
_TRAILING = ".,:;!?'*_~|([{"
_SAFE_LINK = re.compile(r"(?:https?://[^/?#@\s]|mailto:)", re.IGNORECASE)
_BREAKS = {"softbreak", "hardbreak"}


def excerpt(body: str, chars: int) -> str:
    """Return the text of a message in one line, without marks of formatting.

    Args:
        body: of the message.
        chars: at most so many code points; a longer text is cut, and ends with "…".
    """
    return _excerpt(body[: READ_FACTOR * chars + 1], chars)


@functools.lru_cache(KEPT)
def _excerpt(body: str, chars: int) -> str:
    text = " ".join("".join(_texts(parser().parse(body))).split())
    return text if len(text) <= chars else f"{text[: chars - 1].rstrip()}…"


def _texts(tokens: "list[Token]") -> Iterator[str]:
    for token in tokens:
        if token.type in _BREAKS or token.block:
            yield " "
        if token.children is not None:
            yield from _texts(token.children)
        else:
            yield token.content


def _address(state: "StateInline", silent: bool) -> bool:
    """No mark has a meaning in an address."""
    if silent or state.linkLevel or not (found := _ADDRESS.match(state.src, state.pos)):
        return False
    text = found[0].rstrip(_TRAILING)
    if len(text) <= len("://") or not _SCHEME.search(state.pending):
        return False
    state.pending += text
    state.pos += len(text)
    return True


@functools.cache
def parser() -> "MarkdownIt":
    """The parser, made when the first text is read: without the extra `chat` a check says what is missing."""
    from markdown_it import MarkdownIt

    made: Any = MarkdownIt("js-default", {"maxNesting": 20}).disable(_OFF, ignoreInvalid=True)
    made.validateLink = _SAFE_LINK.match
    paragraph = next(rule.fn for rule in made.block.ruler.__rules__ if rule.name == "paragraph")

    def quote_sign(state: "StateBlock", line: int, end_line: int, silent: bool) -> bool:
        """A quote begins with `>` and a space: `>:(` is text."""
        text = state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
        return not silent and _NO_QUOTE.match(text) is not None and bool(paragraph(state, line, end_line, silent))

    made.block.ruler.before("blockquote", "quote_sign", quote_sign)
    made.inline.ruler.before("escape", "address", _address)
    parser: MarkdownIt = made
    return parser
