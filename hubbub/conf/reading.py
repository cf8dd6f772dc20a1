"""Reading a dictionary of Django's settings into a struct."""

import difflib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec
from django.conf import settings as django_settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from hubbub.conf.declaring import Tunables, allowed, fields_of, meta_of

T = TypeVar("T", bound=Tunables)

MAX_SHOWN_CHARS = 60
UNREAD = object()


class Section(Generic[T]):
    """The settings of one dictionary. A call returns them as a struct.

    The struct is kept as long as Django's settings hold the same dictionary, so a call is cheap. A change within the
    dictionary has no effect; to change a setting, replace the dictionary.

    Args:
        name: of the dictionary in Django's settings.
        cls: declares its keys.
    """

    def __init__(self, name: str, cls: type[T]) -> None:
        self.name = name
        self._cls = cls
        self._source: Any = UNREAD
        self._value: T = cls()
        SECTIONS.append(self)
        setting_changed.connect(self._renew)

    def __call__(self) -> T:
        """Return the settings in force.

        Raises:
            ImproperlyConfigured: the dictionary has an unknown key or a wrong value; the text is one line.
        """
        source = getattr(django_settings, self.name, None)
        if source is not self._source:
            value, problems = self._read(source)
            if problems:
                raise ImproperlyConfigured(problems[0])
            self._value = value
            self._source = source
        return self._value

    def problems(self) -> list[str]:
        """Return one line for each unknown key and each wrong value."""
        return self._read(getattr(django_settings, self.name, None))[1]

    def usable(self) -> T:
        """Return the settings, with the default in place of each wrong value: for system checks."""
        return self._read(getattr(django_settings, self.name, None))[0]

    def named(self, field: str) -> str:
        """Return the full name of a field: `HUBBUB["MAX_SOCKETS"]`."""
        return f'{self.name}["{field.upper()}"]'

    def _renew(self, *, setting: str, **_: Any) -> None:
        # Defaults may come from other settings, such as BASE_DIR.
        self._source = UNREAD

    def _read(self, source: Any) -> tuple[T, list[str]]:
        defaults = self._cls.site_defaults()
        if source is None:
            source = {}
        if not isinstance(source, Mapping):
            return self._cls(**defaults), [f"{self.name}={shown(source)}: a dictionary of settings is allowed."]
        fields = fields_of(self._cls)
        values: dict[str, Any] = {}
        problems = []
        for name, value in source.items():
            if name not in fields:
                problems.append(f'{self.name}["{name}"] is unknown: did you mean {nearest(str(name), fields)}?')
                continue
            try:
                values[fields[name].name] = convert(value, fields[name])
            except ImproperlyConfigured as error:
                problems.append(f"{self.named(name)}{error}")
        read = self._cls(**defaults | values)
        if broken := list(read.problems(self.named)):
            return self._cls(**defaults), problems + broken
        return read, problems


SECTIONS: list[Section[Any]] = []


def convert(value: Any, field: msgspec.structs.FieldInfo, *, strict: bool = True) -> Any:
    """Return `value` as the type of the field.

    Args:
        value: of a setting.
        field: of a Tunables struct.
        strict: False: texts become numbers.

    Raises:
        ImproperlyConfigured: with the value and the allowed values, to follow the name of the setting.
    """
    try:
        return msgspec.convert(value, field.type, strict=strict, dec_hook=to_path)
    except msgspec.ValidationError:
        is_secret = (meta_of(field).extra or {}).get("is_secret")
        text = "" if is_secret else f"={shown(value)}"
        raise ImproperlyConfigured(f"{text}: {allowed(field)} is allowed.") from None


def to_path(cls: type, value: Any) -> Any:
    """Make a path of a text: the hook of msgspec for other types than its own."""
    if cls is not Path or not isinstance(value, str | os.PathLike):
        raise ValueError(f"expected {cls.__name__}")
    return Path(value)


def shown(value: Any) -> str:
    """Return `value` as a short text of one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def nearest(name: str, known: Mapping[str, Any]) -> str:
    """Return the known key that is most similar to `name`."""
    [key] = difflib.get_close_matches(name.upper(), known, n=1, cutoff=0)
    return str(key)
