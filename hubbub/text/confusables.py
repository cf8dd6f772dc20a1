"""Keys of names that look alike, by Unicode's tables of confusable characters and scripts. A leaf.

The tables are those of PyPI's `confusable-homoglyphs`: confusables.txt of UTS #39 and Scripts.txt.
"""

import functools
import re
import unicodedata
from bisect import bisect_right
from typing import Any

from confusable_homoglyphs.utils import load

# Default_Ignorable_Code_Point of DerivedCoreProperties.txt, Unicode 16.0: drawn as nothing where not supported.
IGNORABLE = (
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
_IGNORABLE = re.compile(f"[{IGNORABLE}]")
# A second dot on a dotted letter is invisible.
_SECOND_DOT = re.compile("(?<=[ij])\u0307")
_SMALL_CAPITAL = re.compile(r"LATIN LETTER SMALL CAPITAL ([A-Z])\Z")
# The table is in logical order, with direction marks around Hebrew and Arabic letters.
_MARK_OF_TABLE = "\u200e"

# Blocks with small capitals, most of which confusables.txt lacks.
SMALL_CAPITALS = (*range(0x250, 0x2B0), *range(0x1D00, 0x1DC0), *range(0xA720, 0xA800), *range(0xAB30, 0xAB70))

MAX_STEPS = 8  # The longest chain has four.


def is_ignorable(character: str) -> bool:
    """Whether Unicode ignores the character by default."""
    return _IGNORABLE.match(character) is not None


def fold_name(text: str) -> str:
    """Return the text without differences of case and compatibility, and ignorable characters: toNFKC_Casefold."""
    return unicodedata.normalize("NFKC", _IGNORABLE.sub("", unicodedata.normalize("NFKC", text)).casefold())


def name_key(text: str) -> str:
    """Return the key that names have in common if they look alike in any case.

    The text is folded, and each character replaced by its prototype. The key of a key is the key itself. Keys are not
    for display, and not comparable between versions of the tables.
    """
    for _ in range(MAX_STEPS):
        before, text = text, _replaced(_SECOND_DOT.sub("", unicodedata.normalize("NFD", fold_name(text))))
        if text == before:
            break
    return text


def shown_key(text: str) -> str:
    """Return the key of the text as it looks in its own case.

    It differs from `name_key` where a capital looks like another letter than its small form: ΑΝΝΑ, αννα.
    """
    return name_key(_replaced(unicodedata.normalize("NFD", text)))


def script_of(character: str) -> str:
    """Return the character's script in capitals; COMMON or INHERITED if it belongs to several."""
    starts, ranges = _scripts()
    last, script = ranges[bisect_right(starts, ord(character)) - 1]
    return script if ord(character) <= last else "UNKNOWN"


def looks_latin(character: str) -> bool:
    """Whether the character looks like an ASCII letter or digit."""
    prototype = prototypes().get(character, "")
    return prototype.isascii() and prototype.isalnum()


@functools.cache
def prototypes() -> dict[str, str]:
    """Return the prototype of each character, as in confusables.txt."""
    # The library lists each pair in both directions. The pairs form stars: the centre, with several partners, is the
    # prototype, and so is a sequence. In a single pair either may be the prototype.
    pairs: dict[str, list[str]] = {}
    for character, others in load("confusables.json").items():
        pairs[_of_table(character)] = [_of_table(other["c"]) for other in others]
    prototype_of: dict[str, str] = {}
    for character, [first, *more] in pairs.items():
        if len(character) == 1 and not more and _rank(first, pairs) > _rank(character, pairs):
            prototype_of[character] = first
    return prototype_of


def _of_table(text: str) -> str:
    return text.replace(_MARK_OF_TABLE, "")


def _rank(text: str, pairs: dict[str, list[str]]) -> tuple[bool, bool, bool, str]:
    return len(text) > 1, len(pairs[text]) > 1, text.isascii(), text


def _replaced(text: str) -> str:
    return unicodedata.normalize("NFC", text.translate(_replacements()))


@functools.cache
def _replacements() -> dict[int, str]:
    table = prototypes()
    replacements = {ord(character): prototype for character, prototype in table.items()}
    # Both cases of a letter have one key: Cyrillic В looks like B, so в, which looks like no ASCII letter, becomes b. A
    # capital I looks like l, so lvan equals Ivan.
    for capital, prototype in table.items():
        small = capital.lower()
        if prototype.isascii() and len(small) == 1 and not table.get(small, "\x80").isascii():
            replacements[ord(small)] = prototype.lower()
    for code in SMALL_CAPITALS:
        if (name := _SMALL_CAPITAL.match(unicodedata.name(chr(code), ""))) is not None:
            replacements[code] = name[1].lower()
    return replacements


@functools.cache
def _scripts() -> tuple[list[int], list[tuple[int, str]]]:
    table: dict[str, Any] = load("categories.json")
    ranges = sorted(table["code_points_ranges"])
    names = table["iso_15924_aliases"]
    return [0, *(first for first, *_ in ranges)], [(-1, ""), *((last, names[at]) for _, last, at, _ in ranges)]
