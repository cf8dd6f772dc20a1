"""Times of a site with USE_TZ off: naive values are wall-clock times in TIME_ZONE. A leaf.

A naive value in the hour that is repeated when clocks go back means its first pass, unless its `fold` is 1. Databases
do not store `fold`.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from django.conf import settings
from django.core.signals import setting_changed
from django.utils import timezone

# Both are kept: msgspec encodes the rest of a value as in JSON.
KEPT_TYPES = (datetime, msgspec.Raw)


def utc(moment: datetime) -> datetime:
    """The time with its time zone, in UTC if it had none. Two such times compare and subtract correctly.

    Args:
        moment: with a time zone, or naive in TIME_ZONE.
    """
    if moment.tzinfo is not None:
        return moment
    # Not the current time zone: a middleware may have activated the user's.
    return moment.replace(tzinfo=timezone.get_default_timezone()).astimezone(UTC)


def now() -> datetime:
    """The present time, to compare with `utc`. Model fields take `timezone.now()` instead."""
    return datetime.now(UTC)


def as_stored(moment: datetime) -> datetime:
    """The time as model fields take it: naive, in TIME_ZONE, on a site with USE_TZ off.

    Args:
        moment: with a time zone, or naive in TIME_ZONE.
    """
    zone = timezone.get_default_timezone()
    if settings.USE_TZ:
        return timezone.make_aware(moment, zone) if timezone.is_naive(moment) else moment
    return timezone.make_naive(moment, zone) if timezone.is_aware(moment) else moment


def connect(prepare_by: Callable[[Callable[[Any], Any] | None], None]) -> None:
    """Call `prepare_by` with a function that puts naive times of a value in UTC; with None where USE_TZ is on."""

    def follow(setting: str = "USE_TZ", **_: object) -> None:
        if setting == "USE_TZ":
            prepare_by(None if settings.USE_TZ else _with_utc)

    follow()
    setting_changed.connect(follow, weak=False, dispatch_uid="hubbub.times")


def _with_utc(value: Any) -> Any:
    return _converted(msgspec.to_builtins(value, builtin_types=KEPT_TYPES))


def _converted(value: Any) -> Any:
    convert: Callable[[Any], Any] | None = _CONVERSIONS.get(type(value))
    return value if convert is None else convert(value)


_CONVERSIONS: dict[type, Callable[[Any], Any]] = {
    datetime: utc,
    dict: lambda value: {key: _converted(item) for key, item in value.items()},
    list: lambda value: [*map(_converted, value)],
    tuple: lambda value: [*map(_converted, value)],
}
