"""Text from anybody, before it is normalized. A leaf."""

import re
import unicodedata

# As in the Stream-Safe Text Format, UAX #15 section 13. Python sorts the marks of one letter in time by the square of
# their number: 16 KiB of them take a tenth of a second, in which nothing else of the process runs.
MAX_MARKS = 30

# No mark counts as a letter. What else does not is looked at only where so much of it follows.
_SUSPICIOUS = re.compile(rf"\W{{{MAX_MARKS + 1},}}")


def has_endless_marks(text: str) -> bool:
    """Whether more than MAX_MARKS combining marks follow one another: no language needs so many."""
    for run in _SUSPICIOUS.finditer(text):
        marks = 0
        for character in run[0]:
            marks = marks + 1 if unicodedata.category(character)[0] == "M" else 0
            if marks > MAX_MARKS:
                return True
    return False
