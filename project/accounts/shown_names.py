"""Display names beside user names: their keys, and the lock that lets one of two win who take one name at once."""

import re
import unicodedata
import zlib
from collections.abc import Collection
from typing import Any

from django.core.exceptions import ValidationError
from django.db import connections
from django.utils.translation import gettext_lazy as _

from hubbub.text import name_key, normalize_name, shown_key, validate_name
from hubbub.text.confusables import is_ignorable

# A letter may map to several letters. PostgreSQL limits index entries to 2,704 bytes: longer keys are cut.
KEY_CHARS = 600
STATUS_CHARS = 80
SHOWN_NAME_CHARS = 60
LOCK_CLASS = 0x6E616D65  # PostgreSQL's advisory locks of this purpose: "name".


def tidy(text: str) -> str:
    """The text in NFC, with single plain spaces, and none at its ends. Line breaks stay: the rule refuses them."""
    spaced = "".join(" " if unicodedata.category(character) == "Zs" else character for character in text)
    return normalize_name(re.sub(" +", " ", spaced).strip(" "))


def validate_status(text: str) -> None:
    """Validate a status line: the rule of names, but a line may have no letter. Raises ValidationError."""
    validate_name(f"{text} a")


def shown_name_key(name: str) -> str:
    """The `User.shown_name_key` of a display name: signs around it make no other name."""
    return name_key(_bare(name))[:KEY_CHARS]


def keys_of(name: str) -> set[str]:
    """All keys by which the name reads as another name."""
    return {key(text)[:KEY_CHARS] for text in (tidy(name), _bare(name)) for key in (name_key, shown_key)}


def lock_names(using: str, keys: Collection[str]) -> None:
    """Wait for transactions that take a name with one of these keys. On SQLite transactions wait for one another."""
    connection: Any = connections[using]
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        # In one order: two transactions must not wait for each other.
        for number in sorted({zlib.crc32(key.encode()) - 2**31 for key in keys}):
            cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [LOCK_CLASS, number])


def check_shown(name: str) -> None:
    """Raise ValidationError if nothing is left of the name without the signs around it."""
    if name and not shown_name_key(name):
        raise ValidationError(_("Use at least one letter or digit."), code="no_letter")


def _bare(name: str) -> str:
    """The name without what is neither a letter nor a digit at its ends."""
    name = tidy(name)
    start, end = 0, len(name)
    while start < end and _is_sign(name[start]):
        start += 1
    while end > start and _is_sign(name[end - 1]):
        end -= 1
    return name[start:end]


def _is_sign(character: str) -> bool:
    return is_ignorable(character) or unicodedata.category(character)[0] not in "LNM"
