"""A check of untrusted text before it is normalized. A leaf."""

import re
import unicodedata

# As in the Stream-Safe Text Format, UAX #15 section 13. Python sorts the marks of a letter in quadratic time: 16 KiB of
# them block the process for a tenth of a second.
MAX_MARKS = 30

# Marks are not word characters; only long runs of such characters are checked one by one.
_SUSPICIOUS = re.compile(rf"\W{{{MAX_MARKS + 1},}}")


def has_endless_marks(text: str) -> bool:
    """Whether more than MAX_MARKS combining marks follow one another in the text. No language needs as many."""
    for run in _SUSPICIOUS.finditer(text):
        marks = 0
        for character in run[0]:
            marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
            if marks > MAX_MARKS:
                return True
    return False
