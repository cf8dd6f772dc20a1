"""Validation and normalization of message texts."""

import re
import unicodedata

from chat import conf
from hubbub.protocol import ErrorCode, Refused
from hubbub.text import MAX_MARKS, has_endless_marks

# White space, control characters, default-ignorable ones (zero-width marks, fillers, bidi controls, tags), and
# letters without ink. static/chat/js/body.js has the same ranges; a test compares them.
BLANK = (
    "\u0000-\u0020\u007f-\u00a0\u00ad\u034f\u061c\u115f-\u1160\u1680\u17b4-\u17b5\u180b-\u180f"
    "\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3000\u3164\ufe00-\ufe0f\ufeff\uffa0"
    "\ufff0-\ufffb\U00013430-\U00013455\U00016fe4\U0001bca0-\U0001bca3\U0001d159\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_BLANK_RUN = re.compile(f"[{BLANK}]*")
_LINE_BREAK = re.compile("[\n\v\f\r\x85\u2028\u2029]")


def clean(body: str) -> str:
    """Normalize the body to form C and strip blank lines at both ends. Raises Refused.

    Call it outside of transactions: a hostile text takes long, and other writers would wait.
    """
    if has_endless_marks(body):
        raise Refused(ErrorCode.INVALID, f"a message may have at most {MAX_MARKS} combining marks on one letter")
    body = without_blank_lines(unicodedata.normalize("NFC", body))
    if not body:
        raise Refused(ErrorCode.INVALID, "a message must contain visible text")
    if "\x00" in body:
        raise Refused(ErrorCode.INVALID, "a message cannot contain the character NUL")
    if len(body) > (max_chars := conf.settings().body_chars):
        raise Refused(ErrorCode.TOO_LONG, f"a message may have at most {max_chars} characters")
    return body


def without_blank_lines(text: str) -> str:
    """The text from its first visible line to its last; empty if no character is visible."""
    first = _blanks_before(text)
    if first == len(text):
        return ""
    backwards = text[::-1]
    last = len(text) - _blanks_before(backwards)
    # Whole lines, with their indents.
    break_before = _LINE_BREAK.search(backwards, len(text) - first)
    break_after = _LINE_BREAK.search(text, last)
    start = len(text) - break_before.start() if break_before else 0
    return text[start : break_after.start() if break_after else None]


def cleaned(body: str) -> str | Refused:
    """As `clean`, but returns the error: other checks of the post come first."""
    try:
        return clean(body)
    except Refused as refused:
        return refused


def accepted(cleaned: str | Refused) -> str:
    """The text that `cleaned` returned. Raises its error."""
    if isinstance(cleaned, Refused):
        raise cleaned
    return cleaned


def _blanks_before(text: str) -> int:
    """The number of blank characters at the start of the text."""
    run = _BLANK_RUN.match(text)
    assert run
    return run.end()
