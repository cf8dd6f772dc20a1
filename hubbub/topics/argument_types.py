"""The types of arguments that clients can send. A leaf."""

from collections.abc import Iterator
from typing import Any

import msgspec

TYPES_ALLOWED = "arguments are int, str, bool, float, UUID, datetime, list, dict, Enum, Literal, msgspec.Struct …"


def undecodable(hint: Any) -> str:
    """The reason why msgspec cannot decode this type; empty: it can."""
    try:
        info = msgspec.inspect.type_info(hint)
    except TypeError as error:
        return str(error)
    custom = next((found for found in _types_in(info) if isinstance(found, msgspec.inspect.CustomType)), None)
    return "" if custom is None else f"msgspec cannot decode {custom.cls.__name__}"


def _types_in(info: Any, seen: frozenset[int] = frozenset()) -> Iterator[Any]:
    if not isinstance(info, msgspec.inspect.Type | msgspec.inspect.Field) or id(info) in seen:
        return
    yield info
    seen = seen | {id(info)}
    for name in info.__struct_fields__:
        value = getattr(info, name)
        for inner in value if isinstance(value, tuple) else (value,):
            yield from _types_in(inner, seen)
