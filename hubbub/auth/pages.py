"""Apps and middleware that pages of signed-in users need. A leaf."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.utils.module_loading import import_string

STATIC_APP = "django.contrib.staticfiles"
MIDDLEWARE = (
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
)


def missing_for_pages() -> list[str]:
    """Return one line for each app and middleware that pages of signed-in users need and settings lack. For a check."""
    lines = [] if apps.is_installed(STATIC_APP) else [f"INSTALLED_APPS lacks {STATIC_APP!r}."]
    installed = [_imported(name) for name in settings.MIDDLEWARE]
    for name in MIDDLEWARE:
        required = _imported(name)
        # If the app itself is missing, E011 reports it.
        if required and not any(isinstance(item, type) and issubclass(item, required) for item in installed):
            lines.append(f"MIDDLEWARE lacks {name!r}.")
    return lines


def _imported(name: str) -> Any:
    """The imported object; None where it does not exist, which Django reports itself."""
    try:
        return import_string(name)
    except (ImportError, RuntimeError):
        return None
