"""Addresses of topics: `poll/7` is the topic `poll` with the key 7. Each topic has exactly one spelling."""

import re
from enum import Enum
from typing import Any, get_origin

import msgspec

from hubbub.protocol import to_json
from hubbub.publish.group_names import TOPIC_PREFIX

MAX_ADDRESS_CHARS = 200
VALID_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


def is_composite(key_type: Any) -> bool:
    """Whether keys are tuples: `list/7/todo` for `tuple[int, str]`."""
    return get_origin(key_type) is tuple


def key_text(key: Any) -> str:
    """The spelling of a key in an address, as JSON writes it without quotes; the parts of a tuple between slashes."""
    if isinstance(key, Enum):
        key = key.value  # Formatted, one that is a `str` as well would be its name.
    if isinstance(key, str):
        return key
    if isinstance(key, tuple):
        return "/".join(map(key_text, key))
    return to_json(key).decode().strip('"')


def read_key(key_type: Any, text: str) -> Any:
    """Read the key of an address.

    Args:
        key_type: of the topic; a type that msgspec decodes.
        text: behind the first slash.

    Returns:
        The key; None: not a key of this type, or not in its one spelling: `7` is a number, `07` is not.
    """
    given = tuple(text.split("/")) if is_composite(key_type) else text
    try:
        key = msgspec.convert(given, key_type, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError, UnicodeError):
        return None
    return key if key is not None and key_text(key) == text and text.isprintable() else None


def check_key(name: str, key_type: Any, key: Any) -> None:
    """Check a key that is given in Python: clients must reach its address.

    Raises:
        ValueError: a key of another type, one that has no address, or too long for it.
    """
    try:
        text = key_text(key)
    except (TypeError, UnicodeError):  # Of a type without JSON.
        text = ""
    if len(name) + 1 + len(text) > MAX_ADDRESS_CHARS:
        raise ValueError(
            f"{name}: key={key!r:.100} is too long: an address has up to {MAX_ADDRESS_CHARS} characters, not "
            f"{len(name) + 1 + len(text)}"
        )
    read = read_key(key_type, text)
    if read is None or read != key:
        expected = key_type.__name__ if isinstance(key_type, type) else repr(key_type)
        slash = ', without "/" in a part' if is_composite(key_type) else ""
        raise ValueError(f"{name}: key={key!r:.100}: a key of this topic is {expected}, printable{slash}")


def address_of_group(group: str) -> str:
    """The address of the topic whose group this is."""
    return group[len(TOPIC_PREFIX) :]
