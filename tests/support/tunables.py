"""Tunables below their bounds, for tests that reach a limit in milliseconds."""

from typing import Any

from msgspec.structs import replace

from hubbub import conf


def set_beyond_bounds(settings: Any, **values: float) -> None:
    """Set tunables of the engine, by field, until the fixture `settings` ends."""
    settings.HUBBUB = {**settings.HUBBUB}
    conf.settings._value = replace(conf.settings(), **values)
