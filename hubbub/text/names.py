"""Validation of names that other users see: of users, of rooms, and of anything that a feature lets users name."""

import functools
import unicodedata
from itertools import groupby

from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from hubbub.text.confusables import is_ignorable, looks_latin, name_key, script_of, shown_key

# Embeddings, overrides and isolates reorder the text that follows: `gpj.exe` shows as `exe.jpg`.
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Direction marks affect only the next letter; titles in Arabic and Hebrew need them.
BIDI_MARKS = frozenset("\u200e\u200f\u061c")
# Control and format characters, including NUL and line breaks; lone surrogates; line and paragraph separators.
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Visible format characters: Arabic and Syriac signs around a number or a word.
VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
# Blank, but not default-ignorable: characters of Braille, hieroglyphs (Unicode 15), Khitan and music.
BLANK = frozenset("\u2800\U00013441\U00013442\U00016fe4\U0001d159")

PUNCTUATION = "@.+-_"  # In user names.
# Some scripts need these within a name (UAX #31, table 3a): geresh and gershayim, tsheg, the Katakana middle dot.
MEDIAL = frozenset("\u05f3\u05f4\u0f0b\u30fb")
# Letters by category that look like an apostrophe, a stroke or an exclamation mark, as modifier letters (Lm) do.
CLICKS = frozenset("\u01c0\u01c1\u01c2\u01c3")

# UTS #39, section 5.4: no language has more nonspacing marks on a letter, or the same mark twice.
MAX_MARKS = 4

ZWNJ, ZWJ = "\u200c", "\u200d"
VIRAMA = 9  # The combining class of marks that join two consonants.
JOINING_SCRIPTS = frozenset({"ARABIC", "SYRIAC", "NKO", "MONGOLIAN"})
EMOJI_STYLES = frozenset("\ufe0e\ufe0f")
EMOJI_OF_OTHER_CATEGORIES = frozenset("0123456789#*\u2139\u3030")  # The last two: ℹ️ and 〰️.
MONGOLIAN_SELECTORS = frozenset("\u180b\u180c\u180d\u180e\u180f")
BLACK_FLAG, TAGS = "\U0001f3f4", range(0xE0020, 0xE0080)  # Flags of countries' parts: 🏴󠁧󠁢󠁥󠁮󠁧󠁿

EAST_ASIAN = frozenset({"HAN", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"})
# Scripts in use today (UAX #31, table 5) that may share a word with Latin: none has letters that look Latin.
BESIDE_LATIN = frozenset({
    "ARABIC", "BENGALI", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GUJARATI", "GURMUKHI", "HEBREW", "KANNADA", "KHMER",
    "LAO", "MALAYALAM", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN",
})  # fmt: skip

# Greek letters that serve as symbols at the start or end of a Latin word: ΔT, kΩ, μTorrent, πday.
GREEK_SYMBOLS = frozenset("\u0394\u03a9\u03bc\u03c0")

# Names that look like the site itself, or like all members of a room. Not `all`, which looks like Ali.
RESERVED = (
    *("channel", "everybody", "everyone", "here", "room"),  # Like @everyone, in many chats they address a group.
    *(
        "admin",
        "administrator",
        "hubbub",
        "moderator",
        "root",
        "staff",
        "support",
        "system",
    ),  # They suggest special rights.
    *("deleted", "deleteduser", "you"),  # Pages show them instead of a name.
)

# Letters, digits, letter numbers, and the marks of letters.
LETTERS_AND_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl"})
MARKS = frozenset({"Mn", "Mc"})
WRITING = LETTERS_AND_DIGITS | MARKS


def normalize_name(text: str) -> str:
    """Return `text` in NFC, so that equal names have equal characters."""
    return unicodedata.normalize("NFC", text)


def validate_name(text: str) -> None:
    """Validate the text of a title or a description. For `validators` of a field.

    Raises:
        ValidationError: without a letter or digit, with an invisible character, or with a word that mixes scripts.
    """
    for at, character in enumerate(text):
        if _is_invisible(character) and not (_is_needed(text, at) or _is_of_emoji(text, at) or _ends_joining(text, at)):
            raise _invisible(character)
    _check_letters(text, GREEK_SYMBOLS)


def validate_user_name(text: str) -> None:
    """Validate a text, in NFKC, as the name of a user: as `validate_name`, with letters, digits and @ . + - _ only.

    Raises:
        ValidationError: for a name that breaks a rule.
    """
    for at, character in enumerate(text):
        if _is_invisible(character):
            if character in BIDI_MARKS or not _is_needed(text, at):
                raise _invisible(character)
        elif (
            character not in PUNCTUATION and character not in MEDIAL and unicodedata.category(character) not in WRITING
        ):
            raise ValidationError(_("Use only letters, digits and @ . + - _ without spaces."), code="characters")
    if text.startswith("@"):
        raise ValidationError(_("A name cannot start with @."), code="characters")
    _check_letters(text)


def is_reserved(name: str) -> bool:
    """Whether the name could be mistaken for the site, its staff, or a group of users."""
    return any(_bare(key(text)) in _reserved_keys() for text in (name, _bare(name)) for key in (name_key, shown_key))


def _bare(text: str) -> str:
    """`text` without characters that look like punctuation."""
    return "".join(
        character
        for character in text
        if unicodedata.category(character) in WRITING - {"Lm"} and character not in CLICKS
    )


@functools.cache
def _reserved_keys() -> frozenset[str]:
    return frozenset(map(name_key, RESERVED))


def _check_letters(text: str, symbols: frozenset[str] = frozenset()) -> None:
    if not text:
        return  # The field decides whether it may be empty.
    categories = [unicodedata.category(character) for character in text]
    if LETTERS_AND_DIGITS.isdisjoint(categories):
        raise ValidationError(_("Use at least one letter or digit."), code="no_letter")
    before = ""  # The category of the character under a mark.
    marks: list[str] = []
    for character, category in zip(text, categories, strict=True):
        if is_ignorable(character):
            continue
        if category not in MARKS:
            before, marks = category, []
        elif before not in LETTERS_AND_DIGITS:
            raise ValidationError(_("A mark needs a letter before it."), code="marks")
        elif category == "Mc":
            marks = []
        elif len(marks) == MAX_MARKS or character in marks[-1:]:
            raise ValidationError(_("A letter has too many marks."), code="marks")
        else:
            marks.append(character)
    for is_word, word in groupby(text, lambda character: unicodedata.category(character)[0] in "LMN"):
        if is_word and _mixes_scripts(_without_symbol([*word], symbols)):
            raise ValidationError(
                _("A word mixes letters of several scripts. Use one script per word."), code="mixed_scripts"
            )


def _without_symbol(word: list[str], symbols: frozenset[str]) -> list[str]:
    """The word without a symbol at its start or end, if the rest is Latin."""
    for symbol, rest in ((word[0], word[1:]), (word[-1], word[:-1])):
        if symbol in symbols and {script_of(character) for character in rest} <= {"LATIN", "COMMON", "INHERITED"}:
            return rest
    return word


def _mixes_scripts(word: list[str]) -> bool:
    scripts = {character: script_of(character) for character in word}
    specific = {*scripts.values()} - {"COMMON", "INHERITED"}
    if len(specific) < 2 or specific <= EAST_ASIAN:
        return False
    others = specific - {"LATIN"}
    if others == specific or not (others <= EAST_ASIAN or (len(others) == 1 and others <= BESIDE_LATIN)):
        return True
    return any(script in others and looks_latin(character) for character, script in scripts.items())


# Invisible characters


def _is_invisible(character: str) -> bool:
    if is_ignorable(character) or character in BLANK:
        return True
    return unicodedata.category(character) in FORBIDDEN_CATEGORIES and character not in VISIBLE_FORMATS


def _invisible(character: str) -> ValidationError:
    return ValidationError(
        _("The invisible character U+%(code)s is not allowed here."),
        code="invisible",
        params={"code": f"{ord(character):04X}"},
    )


def _is_needed(text: str, at: int) -> bool:
    """Whether a script needs the ignorable character at this position: UAX #31, section 2.3, simplified."""
    character, before = text[at], text[at - 1 : at]
    if character in BIDI_MARKS:
        return any(unicodedata.bidirectional(other) in ("R", "AL") and other not in BIDI_MARKS for other in text)
    after = text[at + 1 : at + 2]
    if not before or after in (ZWNJ, ZWJ):
        return False
    if character == ZWJ and (unicodedata.combining(before) == VIRAMA or _joins_to_virama(before, after)):
        return True  # Also at the end: a Malayalam chillu as encoded before Unicode 5.1.
    if after == "":
        return False
    if character == ZWNJ and unicodedata.combining(before) == VIRAMA:
        return True
    if character == ZWNJ:
        return {script_of(before), script_of(after)} <= JOINING_SCRIPTS
    return character in MONGOLIAN_SELECTORS and script_of(before) == "MONGOLIAN"


def _joins_to_virama(before: str, after: str) -> bool:
    """Whether the joiner is part of ra before ya in Bengali or Kannada."""
    return after != "" and unicodedata.combining(after) == VIRAMA and unicodedata.category(before) == "Lo"


def _ends_joining(text: str, at: int) -> bool:
    """Whether the joiner attaches a Persian ending to a word of another script, as in PDF\u200cها."""
    before, after = text[at - 1 : at], text[at + 1 : at + 2]
    if text[at] != ZWNJ or not before or after in ("", ZWNJ, ZWJ):
        return False
    return script_of(before) in JOINING_SCRIPTS or script_of(after) in JOINING_SCRIPTS


def _is_of_emoji(text: str, at: int) -> bool:
    character, before, after = text[at], text[at - 1 : at], text[at + 1 : at + 2]
    if character in EMOJI_STYLES:
        return before != "" and (_is_symbol(before) or before in EMOJI_OF_OTHER_CATEGORIES)
    if character == ZWJ:
        return _ends_symbol(text[:at]) and after != "" and _is_symbol(after)
    return ord(character) in TAGS and text[:at].rstrip("".join(map(chr, TAGS))).endswith(BLACK_FLAG)


def _ends_symbol(text: str) -> bool:
    stem = text.rstrip("\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
    return stem != "" and _is_symbol(stem[-1])


def _is_symbol(character: str) -> bool:
    # Cn: emoji that are newer than Python's Unicode.
    return unicodedata.category(character) in ("So", "Sm", "Sk", "Cn", "Po")
