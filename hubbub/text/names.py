"""What a name that others see may be made of: of a user, of a room, of what a feature of your own lets people name."""

import functools
import unicodedata
from itertools import groupby

from django.core.exceptions import ValidationError

from hubbub.text.confusables import is_ignorable, looks_latin, name_key, script_of, shown_key

# Embeddings, overrides and isolates change how all that follows is read: `gpj.exe` is shown as `exe.jpg`.
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# These reach no further than the next letter; titles in Arabic and Hebrew need them.
BIDI_MARKS = frozenset("\u200e\u200f\u061c")
# Control and format characters, NUL and line breaks among them; lone surrogates; separators of lines and paragraphs.
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# Visible ones among the format characters: signs of Arabic and Syriac that stand around a number or a word.
VISIBLE_FORMATS = frozenset("\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2")
# Drawn as nothing, though no default-ignorable characters: of Braille, hieroglyphs (Unicode 15), Khitan and music.
BLANK = frozenset("\u2800\U00013441\U00013442\U00016fe4\U0001d159")

PUNCTUATION = "@.+-_"  # Of user names.
# Some scripts need these within a name, UAX #31, table 3a: geresh and gershayim, tsheg, the Katakana middle dot.
MEDIAL = frozenset("\u05f3\u05f4\u0f0b\u30fb")
# Letters by their category, drawn like an apostrophe, a stroke or an exclamation mark: so is a modifier letter (Lm).
CLICKS = frozenset("\u01c0\u01c1\u01c2\u01c3")

# UTS #39, section 5.4: more nonspacing marks on one letter, or one of them twice, belong to no language.
MAX_MARKS = 4

ZWNJ, ZWJ = "\u200c", "\u200d"
VIRAMA = 9  # The combining class of marks that join two consonants.
JOINING_SCRIPTS = frozenset({"ARABIC", "SYRIAC", "NKO", "MONGOLIAN"})
EMOJI_STYLES = frozenset("\ufe0e\ufe0f")
EMOJI_OF_OTHER_CATEGORIES = frozenset("0123456789#*\u2139\u3030")  # The last ones: ℹ️ and 〰️.
MONGOLIAN_SELECTORS = frozenset("\u180b\u180c\u180d\u180e\u180f")
BLACK_FLAG, TAGS = "\U0001f3f4", range(0xE0020, 0xE0080)  # Flags of countries' parts: 🏴󠁧󠁢󠁥󠁮󠁧󠁿

EAST_ASIAN = frozenset({"HAN", "HIRAGANA", "KATAKANA", "BOPOMOFO", "HANGUL"})
# Scripts in use today (UAX #31, table 5) that may stand in one word with Latin: no alphabet that has letters like it.
BESIDE_LATIN = frozenset({
    "ARABIC", "BENGALI", "DEVANAGARI", "ETHIOPIC", "GEORGIAN", "GUJARATI", "GURMUKHI", "HEBREW", "KANNADA", "KHMER",
    "LAO", "MALAYALAM", "MYANMAR", "ORIYA", "SINHALA", "TAMIL", "TELUGU", "THAANA", "THAI", "TIBETAN",
})  # fmt: skip

# Greek letters that titles have as symbols, at the begin or end of a word in Latin: ΔT, kΩ, μTorrent, πday.
GREEK_SYMBOLS = frozenset("\u0394\u03a9\u03bc\u03c0")

# Names that people or pages take for the site itself, or for all who are in a room. Not `all`, which is drawn like Ali.
RESERVED = (
    *("channel", "everybody", "everyone", "here", "room"),  # As @everyone, in many chats they call more than one.
    *(
        "admin",
        "administrator",
        "hubbub",
        "moderator",
        "root",
        "staff",
        "support",
        "system",
    ),  # They seem to have rights.
    *("deleted", "you"),  # They stand on pages in the place of a name.
)

# Letters, digits and letters that are numbers, and marks that stand on letters.
LETTERS_AND_DIGITS = frozenset({"Lu", "Ll", "Lt", "Lm", "Lo", "Nd", "Nl"})
MARKS = frozenset({"Mn", "Mc"})
WRITING = LETTERS_AND_DIGITS | MARKS


def normalize_name(text: str) -> str:
    """NFC: what looks alike is alike."""
    return unicodedata.normalize("NFC", text)


def validate_name(text: str) -> None:
    """For a title or a description: `validators` of a model's or a form's field. Raises ValidationError.

    It has a letter or a digit, no character that is not seen, and no word that mixes scripts that are drawn alike.
    """
    for at, character in enumerate(text):
        if _is_invisible(character) and not (_is_needed(text, at) or _is_of_emoji(text, at) or _ends_joining(text, at)):
            raise _invisible(character)
    _check_letters(text, GREEK_SYMBOLS)


def validate_user_name(text: str) -> None:
    """For the name of a user, normalized (NFKC): as `validate_name`, of letters, digits and PUNCTUATION alone."""
    for at, character in enumerate(text):
        if _is_invisible(character):
            if character in BIDI_MARKS or not _is_needed(text, at):
                raise _invisible(character)
        elif (
            character not in PUNCTUATION and character not in MEDIAL and unicodedata.category(character) not in WRITING
        ):
            raise ValidationError("Use letters, digits and @ . + - _ only, without spaces.", code="characters")
    if text.startswith("@"):
        raise ValidationError("A name cannot begin with @: that is how somebody is called.", code="characters")
    _check_letters(text)


def is_reserved(name: str) -> bool:
    """Whether a user of this name could be taken for the site, or for everybody."""
    return any(_bare(key(text)) in _reserved_keys() for text in (name, _bare(name)) for key in (name_key, shown_key))


def _bare(text: str) -> str:
    """Without all that is drawn like punctuation."""
    return "".join(one for one in text if unicodedata.category(one) in WRITING - {"Lm"} and one not in CLICKS)


@functools.cache
def _reserved_keys() -> frozenset[str]:
    return frozenset(map(name_key, RESERVED))


def _check_letters(text: str, symbols: frozenset[str] = frozenset()) -> None:
    if not text:
        return  # Whether it may be empty is the field's to say.
    categories = [unicodedata.category(character) for character in text]
    if LETTERS_AND_DIGITS.isdisjoint(categories):
        raise ValidationError("Use at least one letter or digit.", code="no_letter")
    before = ""  # The category of what a mark would stand on.
    marks: list[str] = []
    for character, category in zip(text, categories, strict=True):
        if is_ignorable(character):
            continue
        if category not in MARKS:
            before, marks = category, []
        elif before not in LETTERS_AND_DIGITS:
            raise ValidationError("A mark needs a letter before it.", code="marks")
        elif category == "Mc":
            marks = []
        elif len(marks) == MAX_MARKS or character in marks[-1:]:
            raise ValidationError("Too many marks stand on one letter.", code="marks")
        else:
            marks.append(character)
    for is_word, word in groupby(text, lambda one: unicodedata.category(one)[0] in "LMN"):
        if is_word and _mixes_scripts(_without_symbol([*word], symbols)):
            raise ValidationError(
                "One word mixes letters of several scripts. Write each word in one.", code="mixed_scripts"
            )


def _without_symbol(word: list[str], symbols: frozenset[str]) -> list[str]:
    """Without one symbol at the begin or end, if the rest is Latin."""
    for one, rest in ((word[0], word[1:]), (word[-1], word[:-1])):
        if one in symbols and {script_of(character) for character in rest} <= {"LATIN", "COMMON", "INHERITED"}:
            return rest
    return word


def _mixes_scripts(word: list[str]) -> bool:
    scripts = {character: script_of(character) for character in word}
    found = {*scripts.values()} - {"COMMON", "INHERITED"}
    if len(found) < 2 or found <= EAST_ASIAN:
        return False
    others = found - {"LATIN"}
    if others == found or not (others <= EAST_ASIAN or (len(others) == 1 and others <= BESIDE_LATIN)):
        return True
    return any(script in others and looks_latin(character) for character, script in scripts.items())


# Characters that are not seen


def _is_invisible(character: str) -> bool:
    if is_ignorable(character) or character in BLANK:
        return True
    return unicodedata.category(character) in FORBIDDEN_CATEGORIES and character not in VISIBLE_FORMATS


def _invisible(character: str) -> ValidationError:
    return ValidationError(
        "The invisible character U+%(code)s is not allowed here.",
        code="invisible",
        params={"code": f"{ord(character):04X}"},
    )


def _is_needed(text: str, at: int) -> bool:
    """Whether a script needs the ignorable character where it stands: UAX #31, section 2.3, somewhat simpler."""
    character, before = text[at], text[at - 1 : at]
    if character in BIDI_MARKS:
        return any(unicodedata.bidirectional(one) in ("R", "AL") and one not in BIDI_MARKS for one in text)
    after = text[at + 1 : at + 2]
    if not before or after in (ZWNJ, ZWJ):
        return False
    if character == ZWJ and (unicodedata.combining(before) == VIRAMA or _joins_to_virama(before, after)):
        return True  # Also at the end: a chillu of Malayalam as it was written before Unicode 5.1.
    if after == "":
        return False
    if character == ZWNJ and unicodedata.combining(before) == VIRAMA:
        return True
    if character == ZWNJ:
        return {script_of(before), script_of(after)} <= JOINING_SCRIPTS
    return character in MONGOLIAN_SELECTORS and script_of(before) == "MONGOLIAN"


def _joins_to_virama(before: str, after: str) -> bool:
    """As Bengali and Kannada write ra before ya."""
    return after != "" and unicodedata.combining(after) == VIRAMA and unicodedata.category(before) == "Lo"


def _ends_joining(text: str, at: int) -> bool:
    """In titles: a Persian ending at a word of another script, PDF\u200cها."""
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
    # Cn: emoji of a later Unicode than Python's.
    return unicodedata.category(character) in ("So", "Sm", "Sk", "Cn", "Po")
