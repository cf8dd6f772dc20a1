"""Addresses of topics: `poll/7` is the topic `poll` with the key 7. Each topic has exactly one spelling."""

import re
from typing import Any

import msgspec

from hubbub.protocol import to_json
from hubbub.publish.group_names import TOPIC_PREFIX

MAX_ADDRESS_CHARS = 200
VALID_NAME = re.compile(r"[a-z][a-z0-9_.-]{0,39}")


def key_text(key: Any) -> str:
    """The spelling of a key in an address, as JSON writes it without quotes."""
    if isinstance(key, str):
        return key
    return to_json(key).decode().strip('"')


def read_key(key_type: Any, text: str) -> Any:
    """Read the key of an address.

    Args:
        key_type: of the topic; a type that msgspec decodes.
        text: behind the slash.

    Returns:
        The key; None: not a key of this type, or not in its one spelling: `7` is a number, `07` is not.
    """
    try:
        key = msgspec.convert(text, key_type, strict=False)
    except (msgspec.ValidationError, ValueError, OverflowError, UnicodeError):
        return None
    return key if key is not None and key_text(key) == text and text.isprintable() else None


def address_of_group(group: str) -> str:
    """The address of the topic whose group this is."""
    return group[len(TOPIC_PREFIX) :]
