"""System checks of the settings that the monitor needs. docs/settings.md lists them."""

from typing import Any

from django.core.checks import CheckMessage, Error, register

from hubbub.auth import missing_for_pages
from monitor import conf


@register("monitor")
def check_pages(**_: Any) -> list[CheckMessage]:
    return [Error(line, hint="The monitor pages need it.", id="monitor.E001") for line in missing_for_pages()]


@register("monitor")
def check_psutil(**_: Any) -> list[CheckMessage]:
    try:
        import psutil  # noqa: F401
    except ImportError:
        line = 'monitor needs psutil: pip install "django-hubbub[monitor]"'
        return [Error(line, hint="The readings of hosts and processes come from it.", id="monitor.E003")]
    return []


@register("monitor")
def check_settings(**_: Any) -> list[CheckMessage]:
    hint = "The page Settings lists every key with its default and its bounds."
    return [Error(line, hint=hint, id="monitor.E002") for line in conf.settings.problems()]
