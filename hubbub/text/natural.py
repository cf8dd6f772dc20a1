"""Keys that put texts in the order that people expect: "Project 2" before "project 10", "ä" beside "a". A leaf."""

import re
import unicodedata

_NUMBER = re.compile(r"\d+")
MAX_KEY_BYTES = 200


def natural_key(text: str) -> str:
    """Return a key whose order is the natural order of texts, in Python and under every collation of a database.

    Numbers are compared by their value; case, accents and compatibility forms do not count.

    Args:
        text: any text.

    Returns:
        At most 400 hexadecimal digits, of whose order all collations have one opinion.
    """
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    letters = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    return _NUMBER.sub(_sortable, letters).encode(errors="replace")[:MAX_KEY_BYTES].hex()


def _sortable(number: re.Match[str]) -> str:
    """The number's count of digits first: a longer number is a larger one."""
    digits = "".join(str(unicodedata.digit(char)) for char in number[0]).lstrip("0")
    return f"{len(digits):03d}{digits}"
