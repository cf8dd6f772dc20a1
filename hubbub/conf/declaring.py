"""Declarations of settings: each is declared once, with its default, its allowed values and a reason."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec


class Tunables(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of one dictionary. Each field is annotated by `bounds` or `key`, and has a default.

    The key of a field is its name in capitals.
    """

    def problems(self, named: Callable[[str], str]) -> Iterator[str]:
        """Yield a line for each rule that its type cannot say and that the values break.

        Args:
            named: returns the full name of a field for its reader: of a setting or of an environment variable.
        """
        yield from ()

    @classmethod
    def site_defaults(cls) -> dict[str, Any]:
        """Return defaults, by field, that depend on other settings of Django."""
        return {}


def bounds(low: float, high: float, reason: str) -> msgspec.Meta:
    """Make the annotation of a tunable: a number from `low` to `high`, with the `reason` for its value."""
    return msgspec.Meta(ge=low, le=high, description=reason)


def key(allowed: str, meaning: str, *, pattern: str | None = None, is_secret: bool = False) -> msgspec.Meta:
    """Make the annotation of a setting that is not a number.

    Args:
        allowed: the allowed values, for error texts.
        meaning: for documents.
        pattern: of a text.
        is_secret: error texts do not show the value.
    """
    return msgspec.Meta(pattern=pattern, description=meaning, extra={"allowed": allowed, "is_secret": is_secret})


def fields_of(cls: type[Tunables]) -> dict[str, msgspec.structs.FieldInfo]:
    """Return the fields by their keys."""
    return {field.name.upper(): field for field in msgspec.structs.fields(cls)}


def numbers_of(cls: type[Tunables]) -> list[msgspec.structs.FieldInfo]:
    """Return the fields with bounds."""
    return [field for field in msgspec.structs.fields(cls) if meta_of(field).ge is not None]


def meta_of(field: msgspec.structs.FieldInfo) -> msgspec.Meta:
    """Return the bounds and the reason of a field."""
    meta: msgspec.Meta = field.type.__metadata__[0]
    return meta


def allowed(field: msgspec.structs.FieldInfo) -> str:
    """Return the allowed values of a field as text: `a whole number from 1 to 64`."""
    meta = meta_of(field)
    if meta.ge is None:
        return str((meta.extra or {})["allowed"])
    return f"{'a whole number' if field.type.__origin__ is int else 'a number'} from {meta.ge} to {meta.le}"
