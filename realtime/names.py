"""What a name that others see may be made of: of a room, of whatever a feature of your own lets people name."""

import unicodedata

from django.core.exceptions import ValidationError

# Embeddings, overrides and isolates change how all that follows is read: `gpj.exe` is shown as `exe.jpg`.
# The plain marks (U+200E, U+200F, U+061C), which names in Arabic and Hebrew need, and the joiners reach no further.
BIDI_CONTROLS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Control characters, NUL and line breaks among them; lone surrogates; separators of lines and paragraphs.
FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cs", "Zl", "Zp"})


def normalize_name(text: str) -> str:
    """NFC: what looks alike is alike."""
    return unicodedata.normalize("NFC", text)


def validate_name(text: str) -> None:
    """For `validators` of a model's or a form's field. Raises ValidationError with the first wrong character."""
    for character in text:
        if character in BIDI_CONTROLS or unicodedata.category(character) in FORBIDDEN_CATEGORIES:
            raise ValidationError(
                "The invisible character U+%(code)s is not allowed here.",
                code="invisible",
                params={"code": f"{ord(character):04X}"},
            )
